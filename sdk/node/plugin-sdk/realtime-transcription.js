export { createRealtimeTranscriptionWebSocketSession } from './internal/voice/transcription-socket.js';
export { canonicalizeRealtimeTranscriptionProviderId, getRealtimeTranscriptionProvider, listRealtimeTranscriptionProviders, normalizeRealtimeTranscriptionProviderId } from './internal/capability-registries.js';
