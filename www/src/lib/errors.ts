/** An error whose message is one sentence for the person. `kind` is what programs branch on. */
export class CoppiceError extends Error {
  /** `input`, `recipe`, `device`, `budget`, `memory`, `io` or `internal`. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.name = 'CoppiceError';
    this.kind = kind;
  }
}

/** What a call rejects with when its signal was aborted. */
export function abortError(): DOMException {
  return new DOMException('The run was cancelled; nothing was written.', 'AbortError');
}
