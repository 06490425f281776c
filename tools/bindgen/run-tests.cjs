// Runs the `#[wasm_bindgen_test]`s of one test binary in Node. `argv[2]` is the folder that coppice-bindgen wrote,
// `argv[3]` a part of the names to run. What a test prints is kept by wasm-bindgen-test and shown where it fails.
"use strict";
const path = require("node:path");

const handlers = {};
const real = { log: console.log, error: console.error };
for (const method of ["debug", "log", "info", "warn", "error"]) {
  console[method] = (...args) => handlers[method]?.(args);
}
global.__wbgtest_og_console_log = real.log;
global.__wbgtest_og_console_error = real.error;
global.__wbg_test_invoke = (f) => f();

const wasm = require(path.resolve(process.argv[2], "tests.js"));
const filter = process.argv[3] ?? "";
const exported = Object.keys(wasm.__wasm).filter((name) => name.startsWith("__wbgt_") && name.includes("::"));
const chosen = exported.filter((name) => name.slice(name.indexOf("::") + 2).includes(filter));
if (exported.length === 0) {
  real.error("error: the wasm test binary holds no tests");
  process.exit(1);
}

const context = new wasm.WasmBindgenTestContext(false);
for (const method of ["debug", "log", "info", "warn", "error"]) handlers[method] = wasm[`__wbgtest_console_${method}`];
context.include_ignored(false);
context.filtered_count(exported.length - chosen.length);
context.run(chosen.map((name) => wasm.__wasm[name])).then(
  (passed) => process.exit(passed ? 0 : 1),
  (error) => {
    real.error(error);
    process.exit(1);
  },
);
