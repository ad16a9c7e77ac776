// Providers by kind, for functions that take a provider from the SDK. They see what this worker registered.
import { normalizeCapabilityProviderId } from './capability-providers.js';
import { providerLookup } from './own-providers.js';

const lookups = Object.fromEntries(
  ['Speech', 'RealtimeTranscription', 'RealtimeVoice', 'ImageGeneration', 'MusicGeneration', 'VideoGeneration', 'Embedding', 'MemoryEmbedding', 'TranscriptSource'].map((kind) => [kind, providerLookup(kind === 'MemoryEmbedding' ? 'registerMemoryEmbeddingProvider' : `register${kind}Provider`)]),
);
const { Speech, RealtimeTranscription, RealtimeVoice, ImageGeneration, MusicGeneration, VideoGeneration, Embedding, TranscriptSource } = lookups;

/** @type {(cfg?: object) => any[]} */
export const listSpeechProviders = Speech.list;
export const listLoadedSpeechProviders = Speech.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getSpeechProvider = Speech.get;
/** @type {(id: unknown, cfg?: object) => string | undefined} */
export const canonicalizeSpeechProviderId = Speech.canonicalize;
/** @type {(cfg?: object) => any[]} */
export const listRealtimeTranscriptionProviders = RealtimeTranscription.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getRealtimeTranscriptionProvider = RealtimeTranscription.get;
/** @type {(id: unknown, cfg?: object) => string | undefined} */
export const canonicalizeRealtimeTranscriptionProviderId = RealtimeTranscription.canonicalize;
/** @type {(id: unknown) => string | undefined} */
export const normalizeRealtimeTranscriptionProviderId = normalizeCapabilityProviderId;
/** @type {(cfg?: object) => any[]} */
export const listRealtimeVoiceProviders = RealtimeVoice.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getRealtimeVoiceProvider = RealtimeVoice.get;
/** @type {(id: unknown, cfg?: object) => string | undefined} */
export const canonicalizeRealtimeVoiceProviderId = RealtimeVoice.canonicalize;
/** @type {(cfg?: object) => any[]} */
export const listImageGenerationProviders = ImageGeneration.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getImageGenerationProvider = ImageGeneration.get;
/** @type {(cfg?: object) => any[]} */
export const listMusicGenerationProviders = MusicGeneration.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getMusicGenerationProvider = MusicGeneration.get;
/** @type {(cfg?: object) => any[]} */
export const listVideoGenerationProviders = VideoGeneration.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getVideoGenerationProvider = VideoGeneration.get;
/** @type {(cfg?: object) => any[]} */
export const listEmbeddingProviders = Embedding.list;
/** @type {(id: unknown, cfg?: object) => any} */
export const getEmbeddingProvider = Embedding.get;
/** @type {() => any[]} */
export const listTranscriptSourceProviders = TranscriptSource.list;
/** @type {(id: unknown) => any} */
export const getTranscriptSourceProvider = TranscriptSource.get;
/** @type {(id: unknown) => string | undefined} */
export const normalizeTranscriptSourceProviderId = normalizeCapabilityProviderId;
/** @type {() => {adapter: any, ownerPluginId?: string}[]} */
export const listRegisteredMemoryEmbeddingProviderAdapters = () => lookups.MemoryEmbedding.list();
