# Coppice. Each target installs what it needs on Debian as root, and elsewhere names it in one sentence.
.PHONY: help demo site wasm native test test-full screenshots clean
.DEFAULT_GOAL := help

help: ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: site ## build everything and serve the page with its demo models on http://127.0.0.1:8000
	@node tools/serve.mjs dist

site: ## the static site, in dist/
	@tools/site.sh

wasm: ## the wasm module, in www/src/wasm/
	@tools/wasm.sh build

native: ## the command, target/release/coppice
	@tools/native.sh

test: ## every check; the last line is their sum
	@tools/test.sh

test-full: ## every check, the long ones too
	@tools/test.sh --full

screenshots: site ## pictures of every screen, in docs/screens/
	@tools/screenshots.sh

clean: ## remove what was built and installed in this folder
	rm -rf target dist out .tools .venv www/node_modules www/src/wasm
