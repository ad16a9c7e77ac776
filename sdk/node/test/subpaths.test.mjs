// Every subpath of the SDK in a worker: it carries what `exports.json` promises, and how much that is of the reference's.
import assert from 'node:assert/strict';
import test from 'node:test';
import { PROMISED, RELEASES, importInWorker } from './subpaths.mjs';

const keyOf = (subpath) => ({ index: './plugin-sdk', 'extension-api': './extension-api' })[subpath] ?? subpath;

// Deprecated, reserved and undocumented subpaths, and those of test helpers, import as all others do: SUB-309, SUB-310, SUB-316, SUB-318, SUB-319, SUB-320, SUB-321, SUB-322
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
    assert.deepEqual(absent, [], 'every subpath that a plugin may import is there'); // SUB-317: the facades of vendors among them
    t.diagnostic(`${release}: ${all.length - absent.length} of ${all.length} subpaths, ${values - lacking} of ${values} names`);
    assert.ok(lacking < values);
  });
}

test('the export map of the first release is complete', async () => { // SUB-307, but for `cli-entry`
  const all = Object.keys(RELEASES['2026.5.12']);
  const entries = all.filter((subpath) => subpath.startsWith('.'));
  assert.deepEqual([all.length - entries.length, entries], [306, ['.', './extension-api', './plugin-sdk']]);
  const found = await importInWorker(entries);
  for (const entry of entries) assert.ok(found[entry].length > 0, `${entry}: ${JSON.stringify(found[entry])}`);
});

const SAME = [['provider-stream', 'provider-stream-family'], ['memory-host-status', 'memory-core-host-status'], ['memory-host-core', 'memory-core', 'memory-core-host-runtime-core'],
  ['memory-host-files', 'memory-core-host-runtime-files'], ['memory-host-events', 'memory-core-host-events'], ['channel-config-schema-legacy', 'bundled-channel-config-schema']];
for (const [first, ...others] of SAME) {
  test(`${first} has its other names`, () => { // SUB-323
    for (const other of others) assert.deepEqual(PROMISED[other], PROMISED[first], other);
  });
}

test('the first release is listed whole', () => { // SUB-308, SUB-309, SUB-311
  const listed = Object.entries(RELEASES['2026.5.12']).filter(([subpath]) => !subpath.startsWith('.'));
  const largest = listed.map(([subpath, names]) => [subpath, names.length]).sort((a, b) => b[1] - a[1]).slice(0, 8);
  assert.equal(listed.reduce((sum, [, names]) => sum + names.length, 0), 5230);
  assert.equal(listed.filter(([, names]) => names.length === 0).length, 6, 'subpaths of types only');
  assert.deepEqual(largest, [['infra-runtime', 331], ['agent-runtime', 272], ['zod', 239], ['testing', 149], ['text-runtime', 135], ['compat', 122], ['media-runtime', 118], ['security-runtime', 114]]);
});
