export { extractTranscriptIdentityFromSessionsMemoryHit, extractTranscriptStemFromSessionsMemoryHit, resolveTranscriptStemToSessionKeys } from './internal/session-store.js';
