export { extractTranscriptIdentityFromSessionsMemoryHit, extractTranscriptStemFromSessionsMemoryHit, resolveTranscriptStemToSessionKeys } from './internal/session-store.js';
export { loadCombinedSessionStoreForGateway } from './internal/combined-sessions.js';
export { formatSessionTranscriptMemoryHitKey, parseSessionTranscriptMemoryHitKey, resolveSessionTranscriptMemoryHitKeyToSessionKeys } from './internal/transcript-reads.js';
