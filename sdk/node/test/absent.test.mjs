// Names of the reference that the SDK does not carry: each is in the table of `docs/sdk.md`, with a reason.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { PROMISED, RELEASES, lacking } from './subpaths.mjs';
import { missingExport } from '../plugin-sdk/internal/missing.js';

/** Subpaths of the first release that lack something, and how many names they carry. */
const PARTS = [
  ['config-schema', 1], // SUB-006
  ['runtime', 48], // SUB-013
  ['plugin-runtime', 25], // SUB-016
  ['sandbox', 6], // SUB-020
  ['config-runtime', 64], // SUB-024
  ['browser-config', 0], // SUB-030
  ['setup-runtime', 27], // SUB-034
  ['setup-tools', 5], // SUB-036
  ['device-bootstrap', 0], // SUB-041
  ['conversation-runtime', 73], // SUB-104
  ['session-binding-runtime', 2], // SUB-107
  ['discord', 13], // SUB-112
  ['text-runtime', 116], // SUB-136
  ['approval-handler-runtime', 4], // SUB-145
  ['approval-runtime', 36], // SUB-148
  ['runtime-secret-resolution', 3], // SUB-157
  ['agent-runtime', 230], // SUB-160
  ['agent-harness', 8], // SUB-161
  ['agent-harness-runtime', 8], // SUB-162
  ['session-visibility', 8], // SUB-167
  ['cron-store-runtime', 0], // SUB-169
  ['acp-runtime', 9], // SUB-172
  ['codex-mcp-projection', 0], // SUB-177
  ['codex-native-task-runtime', 0], // SUB-178
  ['hook-runtime', 29], // SUB-185
  ['infra-runtime', 248], // SUB-186
  ['gateway-runtime', 15], // SUB-187
  ['media-runtime', 91], // SUB-225
  ['media-understanding', 4], // SUB-231
  ['tts-runtime', 34], // SUB-243
  ['provider-auth', 60], // SUB-248
  ['provider-auth-login', 0], // SUB-252
  ['provider-transport-runtime', 8], // SUB-263
  ['provider-usage', 9], // SUB-265
  ['provider-zai-endpoint', 0], // SUB-271
  ['memory-core-engine-runtime', 0], // SUB-275
  ['memory-core-host-engine-embeddings', 37], // SUB-276
  ['memory-core-host-engine-qmd', 2], // SUB-278
  ['memory-core-host-runtime-cli', 14], // SUB-285
  ['agent-runtime-test-contracts', 34], // SUB-294
  ['channel-contract-testing', 0], // SUB-295
  ['channel-target-testing', 0], // SUB-296
  ['channel-test-helpers', 8], // SUB-297
  ['plugin-test-contracts', 1], // SUB-299
  ['plugin-test-runtime', 13], // SUB-300
  ['provider-http-test-mocks', 0], // SUB-301
  ['provider-test-contracts', 0], // SUB-302
  ['test-env', 43], // SUB-303
  ['test-node-mocks', 0], // SUB-305
  ['testing', 75], // SUB-306
];

const rows = fs.readFileSync(new URL('../../../docs/sdk.md', import.meta.url), 'utf8').split('\n')
  .slice().filter((line) => line.startsWith('| `') || line.startsWith('| others')).map((line) => line.split('|').slice(1, 4).map((cell) => cell.trim()));
const words = (cell) => (cell === 'others' ? ['*'] : [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word));
const pattern = (word) => new RegExp(`^${word.split('*').map((part) => part.replace(/[.\\$]/g, '\\$&')).join('.*')}$`);
const table = rows.map(([names, subpaths, why]) => ({ names: words(names).map(pattern), subpaths: words(subpaths).map(pattern), why }));
const reasons = (subpath, name) => table.filter((row) => row.subpaths.some((one) => one.test(subpath)) && row.names.some((one) => one.test(name)));

for (const release of Object.keys(RELEASES)) {
  test(`every missing name of ${release} has a reason`, () => {
    const subpaths = Object.keys(RELEASES[release]).filter((subpath) => !subpath.startsWith('.'));
    const without = subpaths.flatMap((subpath) => lacking(subpath, release).filter((name) => reasons(subpath, name).length === 0).map((name) => `${subpath}: ${name}`));
    assert.deepEqual(without, []);
  });
}

test('every row of the table is about something that is missing', () => {
  const missing = Object.keys(RELEASES).flatMap((release) => Object.keys(RELEASES[release]).filter((subpath) => PROMISED[subpath]).flatMap((subpath) => lacking(subpath, release).map((name) => [subpath, name])));
  const idle = table.filter((row) => !missing.some(([subpath, name]) => row.subpaths.some((one) => one.test(subpath)) && row.names.some((one) => one.test(name))));
  assert.deepEqual(idle.map(({ why }) => why), []);
});

for (const [subpath, count] of PARTS) {
  test(`${subpath} carries ${count} names, and the others have reasons`, () => {
    const missing = lacking(subpath);
    assert.ok(RELEASES['2026.5.12'][subpath].length - missing.length >= count, missing.join(' '));
    for (const name of missing) {
      assert.equal(missingExport(subpath, name).name, 'missing');
      assert.throws(() => missingExport(subpath, name)(), { code: 'CHELA_SDK_MISSING_EXPORT', subpath, exportName: name });
    }
    assert.deepEqual(missing.filter((name) => reasons(subpath, name).length === 0), []);
  });
}
