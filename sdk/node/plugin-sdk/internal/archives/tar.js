// Reads tar files: the plain format, long names of GNU and of pax.

const BLOCK = 512;
/** Longest header of names that is read, in bytes. */
const LONGEST_NAME = 64 * 1024;

const text = (bytes) => bytes.subarray(0, bytes.indexOf(0) < 0 ? bytes.length : bytes.indexOf(0)).toString('utf8');
const octal = (bytes) => Number.parseInt(text(bytes).trim() || '0', 8);

function sizeOf(header) {
  const field = header.subarray(124, 136);
  // GNU writes large numbers as binary.
  const size = field[0] & 0x80 ? Number(field.readBigUInt64BE(4)) : octal(field);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('tar entry has no size');
  return size;
}

function isWhole(header) {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return sum === octal(header.subarray(148, 156));
}

/** Lines `length key=value` of a pax header. */
function pax(bytes) {
  const found = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    if (space < 0 || !(length > 0)) break;
    const line = bytes.subarray(space + 1, at + length - 1).toString('utf8');
    found[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
    at += length;
  }
  return found;
}

/** Gives bytes in the sizes that are asked for. */
class Reader {
  #source;
  #rest = Buffer.alloc(0);

  constructor(source) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** At most `most` bytes; `undefined` at the end. */
  async some(most) {
    if (this.#rest.length === 0) {
      const { value, done } = await this.#source.next();
      if (done) return undefined;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    return part.length > 0 ? part : this.some(most);
  }

  /** Exactly `count` bytes; `undefined` when the file ends before the first one. */
  async exactly(count) {
    const parts = [];
    for (let have = 0; have < count; ) {
      const part = await this.some(count - have);
      if (!part) {
        if (have === 0) return undefined;
        throw new Error('tar file ends in the middle');
      }
      parts.push(part);
      have += part.length;
    }
    return Buffer.concat(parts);
  }
}

async function* contents(reader, size) {
  for (let left = size; left > 0; ) {
    const part = await reader.some(left);
    if (!part) throw new Error('tar file ends in the middle');
    left -= part.length;
    yield part;
  }
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if (padding > 0) await reader.exactly(padding);
}

async function whole(reader, size) {
  if (size > LONGEST_NAME) throw new Error('tar entry has a name that is too long');
  const parts = [];
  for await (const part of contents(reader, size)) parts.push(part);
  return Buffer.concat(parts);
}

function nameOf(header) {
  const prefix = header.subarray(257, 262).toString() === 'ustar' && header[263] === 0x30 ? text(header.subarray(345, 500)) : '';
  const name = text(header.subarray(0, 100));
  return prefix ? `${prefix}/${name}` : name;
}

/**
 * The entries of a tar file in order. `data` must be read to its end before the next entry.
 * @param {AsyncIterable<Buffer>} source
 */
export async function* tarEntries(source) {
  const reader = new Reader(source);
  let extra = {};
  for (;;) {
    const header = await reader.exactly(BLOCK);
    if (!header || header.every((byte) => byte === 0)) return;
    if (!isWhole(header)) throw new Error('tar file is damaged: a header has another checksum');
    const size = sizeOf(header);
    const type = String.fromCharCode(header[156] || 0x30);
    if (type === 'L') extra.path = text(await whole(reader, size));
    else if (type === 'x') extra = { ...extra, ...pax(await whole(reader, size)) };
    else if (type === 'g' || type === 'K') await whole(reader, size);
    else {
      const name = extra.path ?? nameOf(header);
      const real = extra.size === undefined ? size : Number(extra.size);
      extra = {};
      if (!Number.isSafeInteger(real) || real < 0) throw new Error(`tar entry has no size: ${name}`);
      if ('123456'.includes(type) && type !== '5') throw new Error(`tar entry is a link: ${name}`);
      yield { name, directory: type === '5' || name.endsWith('/'), mode: octal(header.subarray(100, 108)), size: real, data: contents(reader, real) };
    }
  }
}
