// QR codes: the modules of a known code, and the pictures made of them.
import assert from 'node:assert/strict';
import test from 'node:test';
import zlib from 'node:zlib';
import { qrModules } from '../plugin-sdk/internal/media/qr-code.js';
import { renderQrPngBase64, renderQrPngDataUrl, renderQrTerminal } from '../plugin-sdk/media-runtime.js';

const text = (modules) => modules.map((row) => row.map((dark) => (dark ? '#' : '.')).join(''));
const FINDER = ['#######', '#.....#', '#.###.#', '#.###.#', '#.###.#', '#.....#', '#######'];

test('the corners, the size and the data of codes', () => {
  for (const [length, size] of [[1, 21], [40, 29], [300, 69], [2000, 169], [2331, 177]]) {
    const rows = text(qrModules('x'.repeat(length)));
    assert.deepEqual([rows.length, new Set(rows.map((row) => row.length)).size], [size, 1]);
    assert.deepEqual(rows.slice(0, 7).map((row) => row.slice(0, 7)), FINDER);
    assert.deepEqual(rows.slice(-7).map((row) => row.slice(0, 7)), FINDER);
  }
  assert.notDeepEqual(qrModules('a'), qrModules('b'));
  assert.throws(() => qrModules('x'.repeat(2332)), /at most 2331 bytes/);
});

test('a picture has the asked size, and a margin that is light', async () => {
  const png = Buffer.from(await renderQrPngBase64('pair me', { scale: 2, marginModules: 1 }), 'base64');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [46, 46]);
  const pixels = zlib.inflateSync(png.subarray(png.indexOf('IDAT') + 4, png.indexOf('IEND') - 8));
  assert.deepEqual([...pixels.subarray(1, 5)], [255, 255, 255, 255]);
  assert.deepEqual([...pixels.subarray(2 * (46 * 4 + 1) + 1 + 2 * 4, 2 * (46 * 4 + 1) + 1 + 3 * 4)], [0, 0, 0, 255]);
  assert.match(await renderQrPngDataUrl('x'), /^data:image\/png;base64,/);
  await assert.rejects(() => renderQrPngBase64('x', { scale: 40 }), /scale must be between 1 and 12/);
  assert.equal((await renderQrTerminal('x', { small: true })).trimEnd().split('\n').length, 13);
});
