export { TtsAutoSchema, TtsConfigSchema, TtsModeSchema, TtsProviderSchema } from './internal/speech/schemas.js';
