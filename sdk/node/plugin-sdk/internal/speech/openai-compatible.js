// A speech provider whose service speaks as OpenAI's does.
import { asFiniteNumber } from '../numbers.js';
import { assertOkOrThrowHttpError } from '../provider/http-errors.js';
import { postJsonRequest } from '../provider/http.js';
import { resolveProviderHttpRequestConfig } from '../provider/request.js';
import { normalizeResolvedSecretInputString } from '../secrets.js';
import { asOptionalRecord, normalizeOptionalLowercaseString, normalizeOptionalString } from '../strings.js';

/** A base address. A canonical policy maps known other forms, and unless `allowCustom` all others too, to the default one. */
function baseUrlOf(value, { defaultBaseUrl, baseUrlPolicy: policy }) {
  const bare = (url) => (normalizeOptionalString(url) ?? defaultBaseUrl).replace(/\/+$/, '');
  const [own, canonical] = [bare(value), bare(defaultBaseUrl)];
  if (policy?.kind !== 'canonical') return own;
  return !policy.allowCustom || (policy.aliases ?? []).map(bare).includes(own) ? canonical : own;
}

/**
 * A provider of speech.
 * @param {object} options `id`, `label`, `envKey`, `models`, `voices`, `defaultModel`, `defaultVoice`, `defaultBaseUrl`, `responseFormats` and the like
 * @returns {object} what `registerSpeechProvider` takes
 */
export function createOpenAiCompatibleSpeechProvider(options) {
  const key = options.configKey ?? options.id;
  const { readExtraConfig = () => ({}), normalizeModel = (value, fallback) => normalizeOptionalString(value) ?? fallback } = options;
  const secret = (value, path) => normalizeResolvedSecretInputString({ value, path });
  const format = (value) => {
    const word = normalizeOptionalLowercaseString(value);
    if (word && !options.responseFormats.includes(word)) throw new Error(`Invalid ${options.label} speech responseFormat: ${word}`);
    return word;
  };
  const baseUrl = (value) => (normalizeOptionalString(value) === undefined ? undefined : baseUrlOf(value, options));
  const settings = (raw, known) => ({
    apiKey: known ? normalizeOptionalString(raw.apiKey) ?? known.apiKey : secret(raw?.apiKey, `messages.tts.providers.${key}.apiKey`),
    baseUrl: baseUrl(raw?.baseUrl) ?? known?.baseUrl,
    model: normalizeModel(normalizeOptionalString(raw?.model ?? raw?.modelId), known?.model ?? options.defaultModel),
    voice: normalizeOptionalString(raw?.voice ?? raw?.voiceId) ?? known?.voice ?? options.defaultVoice,
    speed: asFiniteNumber(raw?.speed) ?? known?.speed,
    responseFormat: format(raw?.responseFormat) ?? known?.responseFormat,
    ...readExtraConfig(raw),
  });
  const fromTts = (raw) => settings(asOptionalRecord(asOptionalRecord(raw.providers)?.[key]) ?? asOptionalRecord(raw[key]));
  const fromOwn = (raw) => settings(raw, fromTts({}));
  const modelProvider = (cfg) => asOptionalRecord(cfg?.models?.providers?.[key]);
  const keyOf = (cfg, own) => own.apiKey ?? secret(modelProvider(cfg)?.apiKey, `models.providers.${key}.apiKey`) ?? normalizeOptionalString(process.env[options.envKey]);
  const set = (record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null));
  const compact = key.replace(/[^a-z0-9]+/gi, '').toLowerCase();
  const names = (word) => [word, `${word}_id`, `${word}id`, `${key}_${word}`, `${compact}${word}`];

  async function synthesize(request) {
    const config = fromOwn(request.providerConfig);
    const wish = request.providerOverrides ?? {};
    const apiKey = keyOf(request.cfg, config);
    if (!apiKey) throw new Error(options.missingApiKeyError ?? `${options.label} API key missing`);
    const base = baseUrlOf(config.baseUrl ?? modelProvider(request.cfg)?.baseUrl, options);
    const responseFormat = config.responseFormat ?? options.defaultResponseFormat;
    const extra = Object.fromEntries((options.extraJsonBodyFields ?? []).map((field) => [field.requestKey ?? field.configKey, config[field.configKey]]));
    const { allowPrivateNetwork, headers, dispatcherPolicy } = resolveProviderHttpRequestConfig({
      baseUrl: base, defaultBaseUrl: options.defaultBaseUrl, allowPrivateNetwork: false, provider: options.id, capability: 'audio', transport: 'http',
      defaultHeaders: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json', ...options.extraHeaders },
    });
    const body = {
      model: normalizeModel(normalizeOptionalString(wish.model ?? wish.modelId) ?? config.model, options.defaultModel), input: request.text,
      voice: normalizeOptionalString(wish.voice ?? wish.voiceId) ?? config.voice, response_format: responseFormat,
      ...set({ speed: asFiniteNumber(wish.speed) ?? config.speed, ...extra }),
    };
    const { response, release } = await postJsonRequest({ url: `${base}/audio/speech`, headers, body, timeoutMs: request.timeoutMs, fetchFn: fetch, allowPrivateNetwork, dispatcherPolicy });
    try {
      await assertOkOrThrowHttpError(response, options.apiErrorLabel ?? `${options.label} TTS API error`);
      const audioBuffer = Buffer.from(await response.arrayBuffer());
      return { audioBuffer, outputFormat: responseFormat, fileExtension: `.${responseFormat}`, voiceCompatible: options.voiceCompatibleResponseFormats.includes(responseFormat) };
    } finally {
      await release();
    }
  }

  return {
    id: options.id, label: options.label, autoSelectOrder: options.autoSelectOrder, models: [...options.models], voices: [...options.voices],
    resolveConfig: ({ rawConfig }) => fromTts(rawConfig),
    parseDirectiveToken({ key: name, value, policy }) {
      if (names('voice').includes(name)) return { handled: true, ...(policy.allowVoice ? { overrides: { voice: value } } : {}) };
      if (names('model').includes(name)) return { handled: true, ...(policy.allowModelId ? { overrides: { model: value } } : {}) };
      return { handled: false };
    },
    resolveTalkConfig({ baseTtsConfig, talkProviderConfig: talk }) {
      const modelId = normalizeOptionalString(talk.modelId);
      const own = {
        apiKey: talk.apiKey === undefined ? undefined : secret(talk.apiKey, `talk.providers.${key}.apiKey`), baseUrl: baseUrl(talk.baseUrl),
        model: modelId && normalizeModel(modelId, options.defaultModel), voice: normalizeOptionalString(talk.voiceId), speed: asFiniteNumber(talk.speed), responseFormat: format(talk.responseFormat),
      };
      return { ...fromTts(baseTtsConfig), ...set(own) };
    },
    resolveTalkOverrides: ({ params }) => set({ voice: normalizeOptionalString(params.voiceId ?? params.voice), model: normalizeOptionalString(params.modelId ?? params.model), speed: asFiniteNumber(params.speed) }),
    listVoices: async () => options.voices.map((voice) => ({ id: voice, name: voice })),
    isConfigured: ({ cfg, providerConfig }) => Boolean(keyOf(cfg, fromOwn(providerConfig))),
    synthesize,
  };
}
