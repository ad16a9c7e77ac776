// Media that a service describes or transcribes.
import { assertOkOrThrowHttpError } from '../provider/http-errors.js';
import { buildAudioTranscriptionFormData, postTranscriptionRequest, requireTranscriptionText } from '../provider/http.js';
import { resolveProviderHttpRequestConfig } from '../provider/request.js';
import { normalizeOptionalString } from '../strings.js';

/** Trimmed text, or the fallback. @param {string | undefined} value @param {string} fallback @returns {string} */
export const resolveMediaUnderstandingString = (value, fallback) => normalizeOptionalString(value) ?? fallback;

/** A request about a video in OpenAI's form. @param {{ model: string, prompt: string, mime: string, buffer: Buffer }} params @returns {object} */
export const buildOpenAiCompatibleVideoRequestBody = ({ model, prompt, mime, buffer }) => ({
  model, messages: [{ role: 'user', content: [{ type: 'text', text: prompt }, { type: 'video_url', video_url: { url: `data:${mime};base64,${buffer.toString('base64')}` } }] }],
});

/** The text of its answer. @param {object} payload @returns {string | null} */
export function coerceOpenAiCompatibleVideoText(payload) {
  const message = payload.choices?.[0]?.message;
  const text = (value) => (typeof value === 'string' && value.trim()) || null;
  const parts = Array.isArray(message?.content) ? message.content.map((part) => text(part.text)).filter(Boolean).join('\n') : '';
  return message ? text(message.content) ?? text(parts) ?? text(message.reasoning_content) : null;
}

/** Transcribes with a service that speaks as OpenAI's does. @param {object} params @returns {Promise<{ text: string, model: string }>} */
export async function transcribeOpenAiCompatibleAudio(params) {
  const { buffer, fileName, mime, language, prompt, timeoutMs, fetchFn = fetch } = params;
  const model = params.model?.trim() || params.defaultModel;
  const { baseUrl, allowPrivateNetwork, headers, dispatcherPolicy } = resolveProviderHttpRequestConfig({
    baseUrl: params.baseUrl, defaultBaseUrl: params.defaultBaseUrl, headers: params.headers, request: params.request, provider: params.provider,
    defaultHeaders: { authorization: `Bearer ${params.apiKey}` }, api: 'openai-audio-transcriptions', capability: 'audio', transport: 'media-understanding',
  });
  const body = buildAudioTranscriptionFormData({ buffer, fileName, mime, fields: { model, language, prompt } });
  const { response, release } = await postTranscriptionRequest({ url: `${baseUrl}/audio/transcriptions`, headers, body, timeoutMs, fetchFn, pinDns: false, allowPrivateNetwork, dispatcherPolicy });
  try {
    await assertOkOrThrowHttpError(response, 'Audio transcription failed');
    return { text: requireTranscriptionText((await response.json()).text, 'Audio transcription response missing text'), model };
  } finally {
    await release();
  }
}
