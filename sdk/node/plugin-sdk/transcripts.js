export { getTranscriptSourceProvider, listTranscriptSourceProviders, normalizeTranscriptSourceProviderId } from './internal/capability-registries.js';
