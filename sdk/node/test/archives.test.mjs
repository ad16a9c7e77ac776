// Archives of strangers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { extractArchive } from '../plugin-sdk/setup-tools.js';

const place = () => fs.mkdtempSync(path.join(os.tmpdir(), 'chela-archives-'));

/** One block of a tar file and what follows it. */
function tarEntry(name, body = '', type = '0', mode = '644') {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(mode.padStart(7, '0'), 100);
  header.write(Buffer.byteLength(body).toString(8).padStart(11, '0'), 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  header.write(header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0') + '\0 ', 148);
  return Buffer.concat([header, Buffer.from(body), Buffer.alloc((512 - (Buffer.byteLength(body) % 512)) % 512)]);
}
const tar = (...entries) => Buffer.concat([...entries, Buffer.alloc(1024)]);

/** A zip file. Rows: name, body, mode. */
function zip(rows, break_ = (crc) => crc) {
  const [locals, heads] = [[], []];
  let at = 0;
  for (const [name, body, mode = 0o100644] of rows) {
    const packed = zlib.deflateRawSync(body);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const head = Buffer.alloc(46);
    head.writeUInt32LE(0x02014b50, 0);
    head.writeUInt16LE(8, 10);
    head.writeUInt32LE(break_(zlib.crc32(body)), 16);
    head.writeUInt32LE(packed.length, 20);
    head.writeUInt32LE(Buffer.byteLength(body), 24);
    head.writeUInt16LE(name.length, 28);
    head.writeUInt32LE((mode << 16) >>> 0, 38);
    head.writeUInt32LE(at, 42);
    locals.push(local, Buffer.from(name), packed);
    heads.push(head, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(heads);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(rows.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** Unpacks bytes; the files that came of it, or the error. */
async function unpack(name, bytes, options = {}) {
  const root = place();
  const [archivePath, destDir] = [path.join(root, name), path.join(root, 'out')];
  fs.writeFileSync(archivePath, bytes);
  options.prepare?.(destDir);
  try {
    await extractArchive({ archivePath, destDir, timeoutMs: 60_000, ...options });
    const files = fs.readdirSync(destDir, { recursive: true }).filter((one) => fs.statSync(path.join(destDir, one)).isFile()).sort();
    return Object.fromEntries(files.map((one) => [one, fs.readFileSync(path.join(destDir, one), 'utf8')]));
  } catch (error) {
    const left = fs.existsSync(destDir) ? fs.readdirSync(destDir).filter((one) => !(options.kept ?? []).includes(one)) : [];
    assert.deepEqual([left, fs.readdirSync(root).filter((one) => one.startsWith('.unpack'))], [[], []], 'nothing is left of an archive that was refused');
    return error.code ?? error.message;
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

const good = tar(tarEntry('a/', '', '5'), tarEntry('a/run', '#!x', '0', '755'), tarEntry('././@LongLink', `a/${'n'.repeat(150)}\0`, 'L'), tarEntry('cut', 'long'),
  tarEntry('PaxHeader', '16 path=a/pax x\n', 'x'), tarEntry('cut', 'pax'));
const files = { 'a/run': '#!x', [`a/${'n'.repeat(150)}`]: 'long', 'a/pax x': 'pax' };
const bare = Object.fromEntries(Object.entries(files).map(([name, text]) => [name.slice(2), text]));
const inZip = zip([['b/', ''], ['b/c.txt', 'sea'], ['d', 'x'.repeat(100_000)]]);

const CASES = [
  ['a tar file', 'a.tar', good, {}, files],
  ['a gzipped one', 'a.tgz', zlib.gzipSync(good), {}, files],
  ['without its first directory', 'a.tar.gz', zlib.gzipSync(good), { stripComponents: 1 }, bare],
  ['a zip file', 'a.zip', inZip, {}, { 'b/c.txt': 'sea', d: 'x'.repeat(100_000) }],
  ['another kind', 'a.rar', 'x', {}, /^unsupported archive/],
  ['a way out', 'a.tar', tar(tarEntry('../x', 'x')), {}, 'archive entry escapes destination: ../x'],
  ['a way out that strip makes', 'a.tar', tar(tarEntry('a/../../x', 'x')), { stripComponents: 1 }, 'archive entry escapes destination: a/../../x'],
  ['an absolute name', 'a.zip', zip([['/etc/x', 'x']]), {}, 'archive entry is absolute: /etc/x'],
  ['a drive', 'a.zip', zip([['C:\\x', 'x']]), {}, 'archive entry uses a drive path: C:\\x'],
  ['a symbolic link', 'a.tar', tar(tarEntry('l', '', '2')), {}, 'tar entry is a link: l'],
  ['a hard link', 'a.tar', tar(tarEntry('l', '', '1')), {}, 'tar entry is a link: l'],
  ['a link in a zip file', 'a.zip', zip([['l', '/etc', 0o120777]]), {}, 'zip entry is a link: l'],
  ['a file twice', 'a.tar', tar(tarEntry('x', '1'), tarEntry('x', '2')), {}, 'EEXIST'],
  ['a damaged header', 'a.tar', tar(Buffer.from(tarEntry('x', '1')).fill(1, 0, 3)), {}, /checksum/],
  ['a file that ends', 'a.tar', tarEntry('x', 'y'.repeat(600)).subarray(0, 700), {}, 'tar file ends in the middle'],
  ['a damaged zip entry', 'a.zip', zip([['x', 'y']], (crc) => (crc ^ 1) >>> 0), {}, 'zip entry is damaged: x'],
  ['no directory', 'a.zip', Buffer.alloc(100), {}, 'zip file has no directory'],
  ['too many bytes of archive', 'a.zip', inZip, { limits: { maxArchiveBytes: 10 } }, 'archive-size-exceeds-limit'],
  ['too many entries', 'a.zip', inZip, { limits: { maxEntries: 2 } }, 'archive-entry-count-exceeds-limit'],
  ['too large a file', 'a.zip', inZip, { limits: { maxEntryBytes: 1000 } }, 'archive-entry-extracted-size-exceeds-limit'],
  ['too much of all', 'a.tar', good, { limits: { maxExtractedBytes: 5 } }, 'archive-extracted-size-exceeds-limit'],
];
for (const [what, name, bytes, options, expected] of CASES) {
  test(`unpacks ${what}`, async () => {
    const found = await unpack(name, bytes, options);
    if (expected instanceof RegExp) assert.match(found, expected);
    else assert.deepEqual(found, expected);
  });
}

test('a bomb that says to be small ends at the limit', async () => {
  const bytes = zip([['x', 'y'.repeat(5_000_000)]]);
  bytes.writeUInt32LE(10, bytes.length - 22 - 47 + 24);
  assert.equal(await unpack('a.zip', bytes, { limits: { maxEntryBytes: 100_000 } }), 'archive-entry-extracted-size-exceeds-limit');
});

test('nothing is written through a link that is there, and what is there stays', async () => {
  const outside = place();
  const prepare = (dest) => {
    fs.mkdirSync(dest);
    fs.writeFileSync(path.join(dest, 'kept'), 'k');
    fs.symlinkSync(outside, path.join(dest, 'a'));
  };
  const said = await unpack('a.tar', tar(tarEntry('a/x', '1')), { prepare, kept: ['a', 'kept'] });
  assert.match(said, /^archive entry would be written through a link/);
  assert.deepEqual(fs.readdirSync(outside), []);
});

test('files that may be run still may, and what tar makes is read', async () => {
  const root = place();
  fs.mkdirSync(path.join(root, 'in'));
  fs.writeFileSync(path.join(root, 'in', 'tool'), 'x', { mode: 0o755 });
  execFileSync('tar', ['czf', path.join(root, 'a.tgz'), '-C', root, 'in']);
  await extractArchive({ archivePath: path.join(root, 'a.tgz'), destDir: path.join(root, 'out'), timeoutMs: 60_000 });
  assert.equal(fs.statSync(path.join(root, 'out/in/tool')).mode & 0o111, 0o111);
});
