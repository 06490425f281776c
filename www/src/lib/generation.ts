import type { Connection } from './connection.ts';
import type { SentFile } from './protocol.ts';
import type { Ending, GenerateOptions, Token } from './types.ts';

/**
 * A text that is being generated: an async iterator over its tokens, and why it ended.
 *
 * Leaving a `for await` loop, calling `return()` or aborting the signal (the iterator then throws an `AbortError`) stops it at the next
 * token and frees its model.
 */
export class Generation implements AsyncIterableIterator<Token, undefined> {
  /** Why the text ended; absent while it goes on. */
  ending: Ending | undefined;
  /** Tokens of the prompt, once the model has been read. */
  promptTokens: number | undefined;
  readonly #tokens: AsyncGenerator<Token, undefined>;

  constructor(connection: Connection, files: SentFile[], options: GenerateOptions) {
    this.#tokens = this.#run(connection, files, options);
  }

  next(): Promise<IteratorResult<Token, undefined>> {
    return this.#tokens.next();
  }

  return(): Promise<IteratorResult<Token, undefined>> {
    return this.#tokens.return(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#run(connection: Connection, files: SentFile[], options: GenerateOptions): AsyncGenerator<Token, undefined> {
    const { prompt, signal } = options;
    const text = connection.nextNumber();
    const settings = {
      max_tokens: options.maxTokens,
      temperature: options.temperature,
      top_k: options.topK,
      top_p: options.topP,
      seed: options.seed,
      stop: options.stop,
      stop_tokens: options.stopTokens,
    };
    try {
      this.promptTokens = (await connection.call(
        { method: 'begin_text', text, files, prompt, settings },
        options,
      )) as number;
      // A call a token: others, another text's too, take their turns in between.
      while (this.ending === undefined) {
        const token = (await connection.call({ method: 'next_token', text }, { signal })) as Token;
        this.ending = token.ending;
        yield token;
      }
      return undefined;
    } finally {
      this.ending ??= 'stopped';
      // Not waited for: it comes before whatever is asked for next, and a lost engine has nothing to free.
      void connection.call({ method: 'end_text', text }, {}).catch(() => undefined);
    }
  }
}
