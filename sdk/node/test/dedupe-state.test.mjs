// Keys that a plugin of newer releases remembers without naming a file, and what it takes over from older files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { createPersistentDedupe, listPersistentDedupeLegacyJsonFileEntries, migratePersistentDedupeLegacyJsonFile } from '../plugin-sdk/persistent-dedupe.js';

test('keys survive a restart in the state directory, and an older file is taken over once', async () => {
  const env = { OPENCLAW_STATE_DIR: fs.mkdtempSync(path.join(os.tmpdir(), 'chela-dedupe-')) };
  const options = { pluginId: 'chat', namespacePrefix: 'seen', ttlMs: 60_000, memoryMaxSize: 10, stateMaxEntries: 10, env };
  assert.equal(await createPersistentDedupe(options).checkAndRecord('one', { namespace: 'a' }), true);
  const again = createPersistentDedupe(options);
  assert.deepEqual([await again.checkAndRecord('one', { namespace: 'a' }), await again.checkAndRecord('one', { namespace: 'b' })], [false, true]);
  const filePath = path.join(env.OPENCLAW_STATE_DIR, 'old.json');
  fs.writeFileSync(filePath, JSON.stringify({ one: 5, two: Date.now(), three: Date.now() - 120_000, bad: 'x' }));
  assert.deepEqual((await listPersistentDedupeLegacyJsonFileEntries({ filePath, ttlMs: 60_000 })).map(({ value }) => value.key), ['two']);
  assert.deepEqual(await migratePersistentDedupeLegacyJsonFile({ ...options, namespace: 'a', filePath }), { imported: 1, skippedExpired: 2, skippedInvalid: 1, skippedExisting: 0, removed: true });
  assert.deepEqual([await createPersistentDedupe(options).hasRecent('two', { namespace: 'a' }), fs.existsSync(filePath)], [true, false]);
});
