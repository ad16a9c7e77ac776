// ACP sessions. The gateway runs none yet: nothing is bound to one, and what starts one fails by name.
const absent = () => Object.assign(new Error('ACP sessions are not built in this gateway; the agent answers instead'), { name: 'AcpRuntimeError', code: 'ACP_BACKEND_MISSING' });

/** The configured ACP binding of a conversation: there is none. @param {object} _params @returns {null} */
export const resolveConfiguredAcpBindingRecord = (_params) => null;
/** Whether the session of a binding is ready. @param {{configuredBinding?: object | null}} params @returns {Promise<{ok: true} | {ok: false, error: string}>} */
export const ensureConfiguredAcpBindingReady = async ({ configuredBinding } = {}) => (configuredBinding ? { ok: false, error: absent().message } : { ok: true });
/** @param {object} _params @returns {null} */
export const readAcpSessionEntry = (_params) => null;
/** Gives a message to an ACP session: there is none that takes it. @returns {Promise<undefined>} */
export const tryDispatchAcpReplyHook = async () => undefined;

const manager = {
  resolveSession: ({ sessionKey }) => ({ kind: 'none', sessionKey }),
  getObservabilitySnapshot: () => ({ runtimeCache: { activeSessions: 0, idleTtlMs: 0, evictedTotal: 0 }, turns: { active: 0, queueDepth: 0, completed: 0, failed: 0, averageLatencyMs: 0, maxLatencyMs: 0 }, errorsByCode: {} }),
  ...Object.fromEntries(['initializeSession', 'runTurn', 'cancelSession', 'closeSession', 'getSessionStatus', 'setSessionRuntimeMode', 'setSessionConfigOption', 'updateSessionRuntimeOptions', 'resetSessionRuntimeOptions'].map((name) => [name, async () => {
    throw absent();
  }])),
};
/** The manager of ACP sessions: it knows none and starts none. @returns {typeof manager} */
export const getAcpSessionManager = () => manager;
