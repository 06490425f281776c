// A plain reader of small safetensors files, for comparing tensors.

/** Tensors of a file by name, F16 and F32 as numbers. */
export function readTensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    // Metadata has no type, and integers are not compared.
    if (entry.dtype !== 'F16' && entry.dtype !== 'F32') continue;
    const [from, to] = entry.data_offsets;
    const size = entry.dtype === 'F16' ? 2 : 4;
    const read = (at) => (size === 2 ? half(view.getUint16(at, true)) : view.getFloat32(at, true));
    tensors.set(
      name,
      Float64Array.from({ length: (to - from) / size }, (_, index) => read(start + from + index * size)),
    );
  }
  return tensors;
}

function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Frobenius norm of the difference of two tensors over that of the first; infinite where they cannot be compared. */
export function distance(a, b) {
  if (a.length !== b.length) return Infinity;
  const squares = (values) => values.reduce((sum, value) => sum + value * value, 0);
  const far = Math.sqrt(squares(a.map((value, index) => value - b[index])) / (squares(a) || 1));
  return Number.isNaN(far) ? Infinity : far;
}
