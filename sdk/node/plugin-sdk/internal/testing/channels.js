// Accounts of a channel that a test starts and stops.
import assert from 'node:assert/strict';
import { createRuntimeEnv } from './wizard.js';
import { spy } from './spy.js';

/**
 * What a channel gets when an account starts.
 * @param {{account: {accountId: string}, cfg?: object, runtime?: object, abortSignal?: AbortSignal, statusPatchSink?: (snapshot: object) => void}} params
 * @returns {object}
 */
export function createStartAccountContext({ account, cfg = {}, runtime = createRuntimeEnv(), abortSignal = new AbortController().signal, statusPatchSink }) {
  const snapshot = { accountId: account.accountId, configured: true, enabled: true, running: false };
  const setStatus = (next) => {
    Object.assign(snapshot, next);
    statusPatchSink?.(snapshot);
  };
  return { accountId: account.accountId, account, cfg, runtime, abortSignal, log: { info: spy(), warn: spy(), error: spy(), debug: spy() }, getStatus: () => snapshot, setStatus };
}

/**
 * Starts an account and follows it.
 * @param {{account: {accountId: string}, startAccount: (context: object) => Promise<void>}} params
 * @returns {{abort: AbortController, patches: object[], task: Promise<void>, isSettled: () => boolean}}
 */
export function startAccountAndTrackLifecycle({ account, startAccount }) {
  const [patches, abort] = [[], new AbortController()];
  let settled = false;
  const task = startAccount(createStartAccountContext({ account, abortSignal: abort.signal, statusPatchSink: (next) => patches.push({ ...next }) }));
  task.then(() => (settled = true), () => (settled = true));
  return { abort, patches, task, isSettled: () => settled };
}

/**
 * Ends an account and waits for it.
 * @param {{abort: AbortController, task: Promise<void>}} params
 * @returns {Promise<void>}
 */
export async function abortStartedAccount({ abort, task }) {
  abort.abort();
  await task;
}

/**
 * Checks that an account runs until it is ended.
 * @param {{waitForStarted: () => Promise<void>, isSettled: () => boolean, abort: AbortController, task: Promise<void>, assertBeforeAbort?: () => void, assertAfterAbort?: () => void}} params
 * @returns {Promise<void>}
 */
export async function expectPendingUntilAbort(params) {
  await params.waitForStarted();
  assert.equal(params.isSettled(), false, 'the account ended before it was aborted');
  params.assertBeforeAbort?.();
  await abortStartedAccount(params);
  params.assertAfterAbort?.();
}

/**
 * Checks the ids that a directory lists.
 * @param {(params: object) => Promise<Array<{id: string}>>} listFn
 * @param {object} cfg
 * @param {string[]} expected
 * @param {{sorted?: boolean}} [options]
 * @returns {Promise<void>}
 */
export async function expectDirectoryIds(listFn, cfg, expected, options) {
  const order = (ids) => (options?.sorted ? [...ids].sort() : ids);
  const ids = (await listFn({ cfg, accountId: 'default', query: null, limit: null })).map(({ id }) => id);
  assert.deepEqual(order(ids), order(expected));
}
