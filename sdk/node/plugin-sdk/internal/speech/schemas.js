// zod schemas of `messages.tts`.
import { z } from '../../../vendor/zod.js';
import { buildOptionalSecretInputSchema } from '../secrets.js';

const text = () => z.string().optional();
const flag = () => z.boolean().optional();
export const TtsAutoSchema = z.enum(['off', 'always', 'inbound', 'tagged']);
export const TtsModeSchema = z.enum(['final', 'all']);
export const TtsProviderSchema = z.string().min(1);
const value = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.unknown()), z.record(z.string(), z.unknown())]);
const providers = z.record(z.string(), z.object({ apiKey: buildOptionalSecretInputSchema() }).catchall(value)).optional();
const prompt = z.object({ profile: text(), scene: text(), sampleContext: text(), style: text(), accent: text(), pacing: text(), constraints: z.array(z.string()).optional() }).strict();
const fallbackPolicy = z.enum(['preserve-persona', 'provider-defaults', 'fail']).optional();
const persona = z.object({ label: text(), description: text(), provider: TtsProviderSchema.optional(), fallbackPolicy, prompt: prompt.optional(), providers }).strict();
const OVERRIDES = ['enabled', 'allowText', 'allowProvider', 'allowVoice', 'allowModelId', 'allowVoiceSettings', 'allowNormalization', 'allowSeed'];
export const TtsConfigSchema = z
  .object({
    auto: TtsAutoSchema.optional(), enabled: flag(), mode: TtsModeSchema.optional(), provider: TtsProviderSchema.optional(), persona: text(),
    personas: z.record(z.string(), persona).optional(), summaryModel: text(),
    modelOverrides: z.object(Object.fromEntries(OVERRIDES.map((name) => [name, flag()]))).strict().optional(),
    providers, prefsPath: text(), maxTextLength: z.number().int().min(1).optional(), timeoutMs: z.number().int().min(1000).max(120_000).optional(),
  })
  .strict()
  .optional();
