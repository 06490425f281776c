/** The part of a whole response that a header `Range: bytes=FIRST-LAST` asks for; the whole where it asks for none, or for several. */
export async function rangeOf(whole: Response, header: string | null): Promise<Response> {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return whole;
  const blob = await whole.blob();
  const start = first === '' ? Math.max(0, blob.size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? blob.size : Math.min(Number(last) + 1, blob.size);
  const headers = new Headers(whole.headers);
  if (start >= end) {
    headers.set('content-range', `bytes */${blob.size}`);
    headers.delete('content-length');
    return new Response(null, { status: 416, headers });
  }
  headers.set('content-range', `bytes ${start}-${end - 1}/${blob.size}`);
  headers.set('content-length', String(end - start));
  return new Response(blob.slice(start, end, blob.type), { status: 206, headers });
}
