// Images as services take and give them.
import { isProviderApiKeyConfigured } from '../auth/order.js';
import { resolveApiKeyForProvider } from '../auth/resolve.js';
import { assertOkOrThrowHttpError } from '../provider/http-errors.js';
import { createProviderOperationDeadline, postJsonRequest, postMultipartRequest, resolveProviderOperationTimeoutMs } from '../provider/http.js';
import { resolveProviderHttpRequestConfig, sanitizeConfiguredModelProviderRequest } from '../provider/request.js';
import { normalizeOptionalLowercaseString, normalizeOptionalString } from '../strings.js';

const PNG = 'image/png';

/** The extension of a kind of image, without a dot. @param {string} [mimeType] @param {string} [fallback] @returns {string} */
export function imageFileExtensionForMimeType(mimeType, fallback = 'png') {
  const type = normalizeOptionalLowercaseString(mimeType)?.split(';')[0].trim();
  if (!type) return fallback;
  if (/jpe?g/.test(type)) return 'jpg';
  if (type.includes('svg')) return 'svg';
  return type.includes('/') ? type.slice(type.indexOf('/') + 1) || fallback : fallback;
}

/** The kind of an image by its bytes. @param {Buffer} buffer @param {string} [fallbackMimeType] @returns {{ mimeType: string, extension: string }} */
export function sniffImageMimeType(buffer, fallbackMimeType = PNG) {
  const starts = (...bytes) => buffer.length >= bytes.length && bytes.every((byte, index) => buffer[index] === byte);
  if (starts(0xff, 0xd8, 0xff)) return { mimeType: 'image/jpeg', extension: 'jpg' };
  if (buffer.length >= 8 && starts(0x89, 0x50, 0x4e, 0x47)) return { mimeType: PNG, extension: 'png' };
  if (buffer.length >= 12 && buffer.toString('latin1', 0, 4) === 'RIFF' && buffer.toString('latin1', 8, 12) === 'WEBP') return { mimeType: 'image/webp', extension: 'webp' };
  return { mimeType: fallbackMimeType, extension: imageFileExtensionForMimeType(fallbackMimeType) };
}

/** An image from base64 text. @param {{ base64?: string, index: number, mimeType?: string, revisedPrompt?: string, defaultMimeType?: string, fileNamePrefix?: string, sniffMimeType?: boolean }} params @returns {{ buffer: Buffer, mimeType: string, fileName: string, revisedPrompt?: string } | undefined} */
export function generatedImageAssetFromBase64(params) {
  const base64 = normalizeOptionalString(params.base64);
  if (!base64) return undefined;
  const buffer = Buffer.from(base64, 'base64');
  const [given, usual] = [normalizeOptionalString(params.mimeType), normalizeOptionalString(params.defaultMimeType) ?? PNG];
  const found = params.sniffMimeType && !given ? sniffImageMimeType(buffer, usual) : undefined;
  const mimeType = given ?? found?.mimeType ?? usual;
  const fileName = `${normalizeOptionalString(params.fileNamePrefix) ?? 'image'}-${params.index + 1}.${found?.extension ?? imageFileExtensionForMimeType(mimeType)}`;
  const revisedPrompt = normalizeOptionalString(params.revisedPrompt);
  return { buffer, mimeType, fileName, ...(revisedPrompt ? { revisedPrompt } : {}) };
}

/** Kind and base64 of a data address. @param {string} dataUrl @returns {{ mimeType: string, base64: string } | undefined} */
export function parseImageDataUrl(dataUrl) {
  const [, mime, data] = /^data:(image\/[^;,]+)(?:;[^,]*)?;base64,(.+)$/is.exec(dataUrl) ?? [];
  const [mimeType, base64] = [normalizeOptionalString(mime), normalizeOptionalString(data)];
  return mimeType && base64 ? { mimeType, base64 } : undefined;
}
/** An image from a data address. @param {{ dataUrl: string, index: number, fileNamePrefix?: string }} params */
export function generatedImageAssetFromDataUrl({ dataUrl, index, fileNamePrefix }) {
  const parsed = parseImageDataUrl(dataUrl);
  return parsed && generatedImageAssetFromBase64({ ...parsed, index, fileNamePrefix });
}
/** An image as a data address. @param {{ buffer: Buffer, mimeType?: string, defaultMimeType?: string }} params @returns {string} */
export const toImageDataUrl = ({ buffer, mimeType, defaultMimeType }) => `data:${normalizeOptionalString(mimeType) ?? normalizeOptionalString(defaultMimeType) ?? PNG};base64,${buffer.toString('base64')}`;

/** An image of an answer in OpenAI's form. @param {object} entry @param {number} index @param {object} [options] */
export const generatedImageAssetFromOpenAiCompatibleEntry = (entry, index, options = {}) =>
  generatedImageAssetFromBase64({ ...options, base64: entry.b64_json, mimeType: entry.mime_type, revisedPrompt: entry.revised_prompt, index });
/** All images of such an answer. @param {{ data?: object[] }} payload @param {object} [options] */
export const parseOpenAiCompatibleImageResponse = (payload, options) =>
  (payload.data ?? []).map((entry, index) => generatedImageAssetFromOpenAiCompatibleEntry(entry, index, options)).filter(Boolean);

/** The name under which an image is uploaded. @param {{ image: { fileName?: string, mimeType?: string }, index: number, defaultMimeType?: string, fileNamePrefix?: string }} params @returns {string} */
export function imageSourceUploadFileName({ image, index, defaultMimeType, fileNamePrefix }) {
  const type = normalizeOptionalString(image.mimeType) ?? normalizeOptionalString(defaultMimeType) ?? PNG;
  return normalizeOptionalString(image.fileName) ?? `${normalizeOptionalString(fileNamePrefix) ?? 'image'}-${index + 1}.${imageFileExtensionForMimeType(type)}`;
}

function checkInputs(options, inputImages) {
  const { enabled, maxInputImages } = options.capabilities.edit;
  if (inputImages.length === 0) return 'generate';
  if (!enabled) throw new Error(`${options.label} image editing is not supported.`);
  if (maxInputImages !== undefined && inputImages.length > maxInputImages) {
    throw new Error(options.tooManyInputImagesError ?? `${options.label} image editing supports up to ${maxInputImages} reference ${maxInputImages === 1 ? 'image' : 'images'}.`);
  }
  return 'edit';
}

/** A provider of images whose service speaks as OpenAI's does. @param {object} options @returns {object} what `registerImageGenerationProvider` takes */
export function createOpenAiCompatibleImageGenerationProvider(options) {
  const { id, label, defaultBaseUrl, failureLabels = {} } = options;
  const labelOf = (mode, words) => failureLabels[mode] ?? `${label} image ${words[mode]}`;

  async function generateImage(req) {
    const inputImages = req.inputImages ?? [];
    const mode = checkInputs(options, inputImages);
    const { apiKey } = await resolveApiKeyForProvider({ provider: id, cfg: req.cfg });
    if (!apiKey) throw new Error(options.missingApiKeyError ?? `${label} API key missing`);
    const providerConfig = req.cfg?.models?.providers?.[options.providerConfigKey ?? id];
    const wished = options.resolveBaseUrl?.({ req, providerConfig, defaultBaseUrl }) ?? normalizeOptionalString(providerConfig?.baseUrl) ?? defaultBaseUrl;
    const { baseUrl, allowPrivateNetwork, headers, dispatcherPolicy } = resolveProviderHttpRequestConfig({
      baseUrl: wished, defaultBaseUrl, provider: id, capability: 'image', transport: 'http', defaultHeaders: { Authorization: `Bearer ${apiKey}` },
      allowPrivateNetwork: options.resolveAllowPrivateNetwork?.({ baseUrl: wished, req, providerConfig }),
      request: options.useConfiguredRequest ? sanitizeConfiguredModelProviderRequest(providerConfig?.request) : undefined,
    });
    const model = options.normalizeModel?.(req.model, options.defaultModel) ?? normalizeOptionalString(req.model) ?? options.defaultModel;
    const count = options.resolveCount ? options.resolveCount({ req, mode }) : req.count ?? 1;
    const built = (mode === 'edit' ? options.buildEditRequest : options.buildGenerateRequest)({ req, inputImages, model, count, mode });
    const deadline = createProviderOperationDeadline({ timeoutMs: req.timeoutMs, label: labelOf(mode, { edit: 'edit', generate: 'generation' }) });
    const timeoutMs = options.defaultTimeoutMs === undefined ? req.timeoutMs : resolveProviderOperationTimeoutMs({ deadline, defaultTimeoutMs: options.defaultTimeoutMs });
    const multipart = built.kind === 'multipart';
    if (multipart) headers.delete('Content-Type');
    else headers.set('Content-Type', 'application/json');
    const url = `${baseUrl.replace(/\/+$/, '')}/images/${mode === 'edit' ? 'edits' : 'generations'}`;
    const call = { url, headers, timeoutMs, fetchFn: fetch, allowPrivateNetwork, ssrfPolicy: req.ssrfPolicy, dispatcherPolicy };
    const { response, release } = await (multipart ? postMultipartRequest({ ...call, body: built.form }) : postJsonRequest({ ...call, body: built.body }));
    try {
      await assertOkOrThrowHttpError(response, labelOf(mode, { edit: 'edit failed', generate: 'generation failed' }));
      const images = parseOpenAiCompatibleImageResponse(await response.json(), options.response);
      if (options.emptyResponseError && images.length === 0) throw new Error(options.emptyResponseError);
      return { images, model };
    } finally {
      await release();
    }
  }

  return {
    id, label, defaultModel: options.defaultModel, models: [...options.models], capabilities: options.capabilities,
    isConfigured: ({ agentDir }) => isProviderApiKeyConfigured({ provider: id, agentDir }),
    generateImage,
  };
}
