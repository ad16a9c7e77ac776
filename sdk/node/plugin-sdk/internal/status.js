// Status of accounts and channels.

/** The state of an account that was never started. */
export const createDefaultChannelRuntimeState = (accountId, extra) => ({
  accountId, running: false, lastStartAt: null, lastStopAt: null, lastError: null, ...extra,
});

const OPTIONAL = [
  ['connected', 'boolean'], ['restartPending', 'boolean'], ['reconnectAttempts', 'number'], ['lastConnectedAt', 'number'],
  ['lastDisconnect', 'truthy'], ['lastEventAt', 'number'], ['lastTransportActivityAt', 'number'], ['healthState', 'string'],
];

/** What status shows of a running account. */
export function buildRuntimeAccountStatusSnapshot({ runtime, probe }, extra) {
  const out = {
    running: runtime?.running ?? false,
    lastStartAt: runtime?.lastStartAt ?? null,
    lastStopAt: runtime?.lastStopAt ?? null,
    lastError: runtime?.lastError ?? null,
    probe,
  };
  for (const [key, type] of OPTIONAL) {
    const value = runtime?.[key];
    if (type === 'truthy' ? value : typeof value === type) out[key] = value;
  }
  return { ...out, ...extra };
}

/** The same with the account's own facts. */
export function buildBaseAccountStatusSnapshot({ account, runtime, probe }, extra) {
  const { accountId, name, enabled, configured } = account;
  return {
    accountId, name, enabled, configured,
    ...buildRuntimeAccountStatusSnapshot({ runtime, probe }),
    lastInboundAt: runtime?.lastInboundAt ?? null,
    lastOutboundAt: runtime?.lastOutboundAt ?? null,
    ...extra,
  };
}

export const buildComputedAccountStatusSnapshot = ({ accountId, name, enabled, configured, runtime, probe }, extra) =>
  buildBaseAccountStatusSnapshot({ account: { accountId, name, enabled, configured }, runtime, probe }, extra);

const ADAPTER_MEMBERS = [
  'defaultRuntime', 'buildChannelSummary', 'probeAccount', 'formatCapabilitiesProbe', 'auditAccount', 'buildCapabilitiesDiagnostics',
  'logSelfId', 'resolveAccountState', 'collectStatusIssues',
];

function adapterBase(options) {
  return Object.fromEntries(ADAPTER_MEMBERS.map((key) => [key, options[key]]));
}

function snapshotOf(resolved, { runtime, probe }) {
  const { extra, ...account } = resolved;
  return buildComputedAccountStatusSnapshot({ ...account, runtime, probe }, extra);
}

/** A status adapter whose snapshot is computed from the account. */
export const createComputedAccountStatusAdapter = (options) => ({
  ...adapterBase(options),
  buildAccountSnapshot: (params) => snapshotOf(options.resolveAccountSnapshot(params), params),
});

/** The same with an asynchronous account. */
export const createAsyncComputedAccountStatusAdapter = (options) => ({
  ...adapterBase(options),
  buildAccountSnapshot: async (params) => snapshotOf(await options.resolveAccountSnapshot(params), params),
});

export const buildBaseChannelStatusSummary = (snapshot, extra) => ({
  configured: snapshot.configured ?? false,
  ...extra,
  running: snapshot.running ?? false,
  lastStartAt: snapshot.lastStartAt ?? null,
  lastStopAt: snapshot.lastStopAt ?? null,
  lastError: snapshot.lastError ?? null,
});

export const buildProbeChannelStatusSummary = (snapshot, extra) => ({
  ...buildBaseChannelStatusSummary(snapshot, extra),
  probe: snapshot.probe,
  lastProbeAt: snapshot.lastProbeAt ?? null,
});

export const buildTokenChannelStatusSummary = (snapshot, options) => ({
  ...buildBaseChannelStatusSummary(snapshot),
  tokenSource: snapshot.tokenSource ?? 'none',
  probe: snapshot.probe,
  lastProbeAt: snapshot.lastProbeAt ?? null,
  ...(options?.includeMode === false ? {} : { mode: snapshot.mode ?? null }),
});

/** One issue for each account with a last error. */
export const collectStatusIssuesFromLastError = (channel, accounts) =>
  accounts
    .map(({ accountId, lastError }) => ({ accountId, text: typeof lastError === 'string' ? lastError.trim() : '' }))
    .filter(({ text }) => text)
    .map(({ accountId, text }) => ({ channel, accountId, kind: 'runtime', message: `Channel error: ${text}` }));

export const createConnectedChannelStatusPatch = (at = Date.now()) => ({ connected: true, lastConnectedAt: at, lastEventAt: at });
export const createTransportActivityStatusPatch = (at = Date.now()) => ({ lastTransportActivityAt: at });

/** A `setStatus` that knows its account. */
export const createAccountStatusSink = ({ accountId, setStatus }) => (patch) => void setStatus({ accountId, ...patch });

/** Resolves when the signal fires. */
export function waitUntilAbort(signal, onAbort) {
  return new Promise((resolve, reject) => {
    const done = () => void Promise.resolve(onAbort?.()).then(() => resolve(), reject);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
}

/** Starts something, waits for the signal, and stops it. */
export async function runPassiveAccountLifecycle({ abortSignal, start, stop, onStop }) {
  const handle = await start();
  try {
    await waitUntilAbort(abortSignal);
  } finally {
    await stop?.(handle);
    await onStop?.();
  }
}

/** The same for a monitor with `stop()`. */
export const runStoppablePassiveMonitor = ({ abortSignal, start }) =>
  runPassiveAccountLifecycle({ abortSignal, start, stop: async (monitor) => void monitor.stop() });

/** @param {any} snapshot @param {any} [extra] @returns {any} */
export const buildWebhookChannelStatusSummary = (snapshot, extra) => buildBaseChannelStatusSummary(snapshot, { mode: snapshot.mode ?? 'webhook', ...extra });
