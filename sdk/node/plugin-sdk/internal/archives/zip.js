// Reads zip files by their directory. Parts over 4 GB do not fit any limit here, so their format is not read.
import zlib from 'node:zlib';
import { Readable } from 'node:stream';

const END = 0x06054b50;
const ROW = 0x02014b50;
const LOCAL = 0x04034b50;
/** The directory's end is within so many bytes of the file's end: its length and the longest comment. */
const TAIL = 22 + 65_535;
/** Largest directory, in bytes. */
const LARGEST_DIRECTORY = 32 * 1024 * 1024;
const MODE_LINK = 0o120000;
const ENCRYPTED = 1;

async function readAt(file, at, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  if (bytesRead !== length) throw new Error('zip file ends in the middle');
  return buffer;
}

async function directory(file, size) {
  const length = Math.min(size, TAIL);
  const tail = await readAt(file, size - length, length);
  for (let at = length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END) continue;
    const [count, bytes, from] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
    if (bytes > LARGEST_DIRECTORY || from + bytes > size) throw new Error('zip file is damaged: its directory is outside of it');
    return { count, rows: await readAt(file, from, bytes) };
  }
  throw new Error('zip file has no directory');
}

async function* data(file, row) {
  const head = await readAt(file, row.at, 30);
  if (head.readUInt32LE(0) !== LOCAL) throw new Error(`zip file is damaged at ${row.name}`);
  const start = row.at + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  if (row.packed === 0) return;
  const packed = file.createReadStream({ start, end: start + row.packed - 1, autoClose: false });
  const plain = row.method === 0 ? packed : packed.pipe(zlib.createInflateRaw());
  if (plain !== packed) packed.on('error', (error) => plain.destroy(error));
  let sum = 0;
  for await (const part of Readable.from(plain)) {
    sum = zlib.crc32(part, sum);
    yield part;
  }
  if (sum !== row.crc) throw new Error(`zip entry is damaged: ${row.name}`);
}

/**
 * The entries of a zip file.
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} size of the file, in bytes
 */
export async function* zipEntries(file, size) {
  const { count, rows } = await directory(file, size);
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > rows.length || rows.readUInt32LE(at) !== ROW) throw new Error('zip file is damaged: its directory');
    const [names, extra, comment] = [rows.readUInt16LE(at + 28), rows.readUInt16LE(at + 30), rows.readUInt16LE(at + 32)];
    const name = rows.subarray(at + 46, at + 46 + names).toString('utf8');
    const mode = rows.readUInt32LE(at + 38) >>> 16;
    const row = { name, method: rows.readUInt16LE(at + 10), crc: rows.readUInt32LE(at + 16), packed: rows.readUInt32LE(at + 20), at: rows.readUInt32LE(at + 42) };
    if ((mode & 0o170000) === MODE_LINK) throw new Error(`zip entry is a link: ${name}`);
    if (rows.readUInt16LE(at + 8) & ENCRYPTED) throw new Error(`zip entry is encrypted: ${name}`);
    if (row.method !== 0 && row.method !== 8) throw new Error(`zip entry has an unknown compression: ${name}`);
    yield { name, directory: name.endsWith('/'), mode, size: rows.readUInt32LE(at + 24), data: data(file, row) };
    at += 46 + names + extra + comment;
  }
}
