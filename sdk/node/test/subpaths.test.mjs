// Every subpath of the SDK in a worker: it carries what `exports.json` promises, and how much that is of the reference's.
import assert from 'node:assert/strict';
import test from 'node:test';
import { PROMISED, RELEASES, importInWorker } from './subpaths.mjs';

const keyOf = (subpath) => ({ index: './plugin-sdk', 'extension-api': './extension-api' })[subpath] ?? subpath;

test('every promised name is there when a plugin imports it', async () => {
  const found = await importInWorker(Object.keys(PROMISED).map(keyOf));
  for (const [subpath, names] of Object.entries(PROMISED)) assert.deepEqual(found[keyOf(subpath)], names, subpath);
});

for (const [release, reference] of Object.entries(RELEASES)) {
  test(`names of ${release}`, (t) => {
    const all = Object.entries(reference).filter(([subpath]) => !subpath.startsWith('.'));
    const absent = all.filter(([subpath]) => !PROMISED[subpath]).map(([subpath]) => subpath);
    const missing = all.map(([subpath, names]) => names.filter((name) => !PROMISED[subpath]?.includes(name)).length);
    const [values, lacking] = [all.reduce((sum, [, names]) => sum + names.length, 0), missing.reduce((sum, n) => sum + n, 0)];
    t.diagnostic(`${release}: ${all.length - absent.length} of ${all.length} subpaths, ${values - lacking} of ${values} names`);
    if (absent.length) t.diagnostic(`absent: ${absent.join(' ')}`);
    assert.ok(all.length > 300 && lacking < values);
  });
}
