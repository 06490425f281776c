import { WORDS } from './words.ts';

/** Longer fragments do not get through every program that passes links on. */
const MOST_CHARACTERS = 16_000;
/** No recipe of a link is larger when it is unpacked; a link that is, was made to fill memory. */
const MOST_BYTES = 500_000;

/** How a fragment of ours begins; behind it the version, `z` where it is packed, and the content. */
const MARK = '#coppice=';
const VERSION = '1';

/** Whether an address's fragment is one of these, sound or not. */
export function isLink(fragment: string): boolean {
  return fragment.startsWith(MARK);
}

/** A value as the fragment of an address: JSON, packed where the browser can, in the letters that addresses have. */
export async function encode(value: unknown): Promise<string> {
  const plain = new TextEncoder().encode(JSON.stringify(value));
  const packed = 'CompressionStream' in window ? await through(plain, new CompressionStream('deflate-raw')) : undefined;
  const fragment = packed ? `${MARK}${VERSION}z.${toBase64(packed)}` : `${MARK}${VERSION}.${toBase64(plain)}`;
  if (fragment.length > MOST_CHARACTERS) throw new Error(WORDS.tooLong);
  return fragment;
}

/** The value of a fragment, which anybody may have written: JSON of a bounded size, and nothing is known of it yet. */
export async function decode(fragment: string): Promise<unknown> {
  const [, version, packed, content = ''] = /^#coppice=(\d{1,4})(z?)\.([\w-]*)$/.exec(fragment) ?? [];
  if (version !== undefined && version !== VERSION) throw new Error(WORDS.otherVersion);
  if (version === undefined || fragment.length > MOST_CHARACTERS) throw new Error(WORDS.broken);
  if (packed && !('DecompressionStream' in window)) throw new Error(WORDS.unzipped);
  try {
    const bytes = fromBase64(content);
    const plain = packed ? await through(bytes, new DecompressionStream('deflate-raw')) : bytes;
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  } catch (error) {
    throw new Error(WORDS.broken, { cause: error });
  }
}

/** Bytes through a stream, as far as the bound. */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: GenericTransformStream,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = (
    new Blob([bytes]).stream().pipeThrough(stream) as ReadableStream<Uint8Array<ArrayBuffer>>
  ).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    size += value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new Error(WORDS.tooLong);
    }
    parts.push(value);
  }
}

function toBase64(bytes: Uint8Array): string {
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}
