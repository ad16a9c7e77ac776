export { resolveGroupSessionKey, resolveSessionKey } from './internal/group-session.js';
export { loadSessionStore, recordSessionMetaFromInbound, updateLastRoute } from './internal/host.js';
export { resolveStorePath } from './internal/paths.js';
export { canonicalizeMainSessionAlias, evaluateSessionFreshness, getSessionEntry, listSessionEntries, patchSessionEntry, readSessionUpdatedAt, resolveChannelResetConfig, resolveSessionResetPolicy, resolveSessionResetType, resolveSessionStoreEntry, resolveSessionTranscriptPathInDir, resolveThreadFlag, saveSessionStore, updateSessionStore, updateSessionStoreEntry } from './internal/session-store.js';
export { clearConfigCache as clearSessionStoreCacheForTest } from './internal/config-snapshot.js';
export { readLatestAssistantTextFromSessionTranscript } from './internal/transcript-reads.js';
export { resolveSendPolicy } from './internal/send-policy.js';
export { resolveAndPersistSessionFile, resolveSessionFilePath, upsertSessionEntry } from './internal/session-files.js';
