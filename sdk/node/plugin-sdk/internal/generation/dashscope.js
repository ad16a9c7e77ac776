// Videos of Alibaba's DashScope: a task is sent and looked at until it is done.
import { assertOkOrThrowHttpError } from '../provider/http-errors.js';
import { createProviderOperationDeadline, fetchWithTimeout, postJsonRequest, resolveProviderOperationTimeoutMs, waitProviderOperationPollInterval } from '../provider/http.js';

export const DEFAULT_VIDEO_GENERATION_DURATION_SECONDS = 5;
export const DEFAULT_VIDEO_GENERATION_TIMEOUT_MS = 120_000;
export const DEFAULT_DASHSCOPE_WAN_VIDEO_MODEL = 'wan2.6-t2v';
export const DASHSCOPE_WAN_VIDEO_MODELS = [DEFAULT_DASHSCOPE_WAN_VIDEO_MODEL, 'wan2.6-i2v', 'wan2.6-r2v', 'wan2.6-r2v-flash', 'wan2.7-r2v'];
export const DEFAULT_VIDEO_RESOLUTION_TO_SIZE = { '480P': '832*480', '720P': '1280*720', '1080P': '1920*1080' };
const COMMON = { maxVideos: 1, maxDurationSeconds: 10, supportsSize: true, supportsAspectRatio: true, supportsResolution: true, supportsAudio: true, supportsWatermark: true };
export const DASHSCOPE_WAN_VIDEO_CAPABILITIES = {
  generate: { ...COMMON }, imageToVideo: { enabled: true, ...COMMON, maxInputImages: 1 }, videoToVideo: { enabled: true, ...COMMON, maxInputVideos: 4 },
};
/** How often a task is looked at, and how long in between, in milliseconds. */
const MAX_LOOKS = 120;
const LOOK_INTERVAL_MS = 2500;

/** The addresses of what a video is made from. @param {object[]} [inputImages] @param {object[]} [inputVideos] @returns {string[]} */
export const resolveVideoGenerationReferenceUrls = (inputImages, inputVideos) => [...(inputImages ?? []), ...(inputVideos ?? [])].map((asset) => asset.url?.trim()).filter(Boolean);

/** What a task is given. @param {{ providerLabel: string, req: object }} params @returns {object} */
export function buildDashscopeVideoGenerationInput({ providerLabel, req }) {
  const [images, videos] = [req.inputImages ?? [], req.inputVideos ?? []];
  if ([...images, ...videos].some((asset) => !asset.url?.trim() && asset.buffer)) {
    throw new Error(`${providerLabel} video generation currently requires remote http(s) URLs for reference images/videos.`);
  }
  const urls = resolveVideoGenerationReferenceUrls(images, videos);
  if (urls.length === 1 && images.length === 1 && videos.length === 0) return { prompt: req.prompt, img_url: urls[0] };
  return { prompt: req.prompt, ...(urls.length > 0 ? { reference_urls: urls } : {}) };
}

/** The parameters of a task; `undefined` for none. @param {object} req @param {Record<string, string>} [resolutionToSize] @returns {object | undefined} */
export function buildDashscopeVideoGenerationParameters(req, resolutionToSize = DEFAULT_VIDEO_RESOLUTION_TO_SIZE) {
  const seconds = typeof req.durationSeconds === 'number' && Number.isFinite(req.durationSeconds) ? Math.max(1, Math.round(req.durationSeconds)) : undefined;
  const flag = (value) => (typeof value === 'boolean' ? value : undefined);
  const all = { size: req.size?.trim() || (req.resolution && resolutionToSize[req.resolution]) || undefined, aspect_ratio: req.aspectRatio?.trim() || undefined, duration: seconds, enable_audio: flag(req.audio), watermark: flag(req.watermark) };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return set.length > 0 ? Object.fromEntries(set) : undefined;
}

/** The addresses in a task's answer, each once. @param {object} payload @returns {string[]} */
export const extractDashscopeVideoUrls = ({ output }) => [...new Set([...(output?.results ?? []).map((row) => row.video_url), output?.video_url].filter((url) => typeof url === 'string' && url.trim()))];

/** Looks at a task until it is done. @param {object} params @returns {Promise<object>} */
export async function pollDashscopeVideoTaskUntilComplete(params) {
  const { providerLabel, taskId, headers, timeoutMs, fetchFn, baseUrl, defaultTimeoutMs = DEFAULT_VIDEO_GENERATION_TIMEOUT_MS } = params;
  const deadline = createProviderOperationDeadline({ timeoutMs, label: `${providerLabel} video generation task ${taskId}` });
  for (let look = 0; look < MAX_LOOKS; look++) {
    const response = await fetchWithTimeout(`${baseUrl}/api/v1/tasks/${taskId}`, { method: 'GET', headers }, resolveProviderOperationTimeoutMs({ deadline, defaultTimeoutMs }), fetchFn);
    await assertOkOrThrowHttpError(response, `${providerLabel} video-generation task poll failed`);
    const payload = await response.json();
    const status = payload.output?.task_status?.trim().toUpperCase();
    if (status === 'SUCCEEDED') return payload;
    if (status === 'FAILED' || status === 'CANCELED') {
      throw new Error(payload.output?.message?.trim() || payload.message?.trim() || `${providerLabel} video generation task ${taskId} ${status.toLowerCase()}`);
    }
    await waitProviderOperationPollInterval({ deadline, pollIntervalMs: LOOK_INTERVAL_MS });
  }
  throw new Error(`${providerLabel} video generation task ${taskId} did not finish in time`);
}

/** Fetches the videos. @param {object} params @returns {Promise<object[]>} */
export async function downloadDashscopeGeneratedVideos({ providerLabel, urls, timeoutMs, fetchFn, defaultTimeoutMs }) {
  const videos = [];
  for (const [index, sourceUrl] of urls.entries()) {
    const response = await fetchWithTimeout(sourceUrl, { method: 'GET' }, timeoutMs ?? defaultTimeoutMs ?? DEFAULT_VIDEO_GENERATION_TIMEOUT_MS, fetchFn);
    await assertOkOrThrowHttpError(response, `${providerLabel} generated video download failed`);
    const buffer = Buffer.from(await response.arrayBuffer());
    videos.push({ buffer, mimeType: response.headers.get('content-type')?.trim() || 'video/mp4', fileName: `video-${index + 1}.mp4`, metadata: { sourceUrl } });
  }
  return videos;
}

/** Sends a task and brings its videos. @param {object} params @returns {Promise<{ videos: object[], model: string, metadata: object }>} */
export async function runDashscopeVideoGenerationTask(params) {
  const { providerLabel, model, req, url, headers, baseUrl, fetchFn, defaultTimeoutMs = DEFAULT_VIDEO_GENERATION_TIMEOUT_MS } = params;
  const deadline = createProviderOperationDeadline({ timeoutMs: params.timeoutMs, label: `${providerLabel} video generation` });
  const left = () => resolveProviderOperationTimeoutMs({ deadline, defaultTimeoutMs });
  const body = {
    model, input: buildDashscopeVideoGenerationInput({ providerLabel, req }),
    parameters: buildDashscopeVideoGenerationParameters({ ...req, durationSeconds: req.durationSeconds ?? DEFAULT_VIDEO_GENERATION_DURATION_SECONDS }),
  };
  const { response, release } = await postJsonRequest({ url, headers, body, timeoutMs: left(), fetchFn, allowPrivateNetwork: params.allowPrivateNetwork, dispatcherPolicy: params.dispatcherPolicy });
  try {
    await assertOkOrThrowHttpError(response, `${providerLabel} video generation failed`);
    const sent = await response.json();
    const taskId = sent.output?.task_id?.trim();
    if (!taskId) throw new Error(`${providerLabel} video generation response missing task_id`);
    const done = await pollDashscopeVideoTaskUntilComplete({ providerLabel, taskId, headers, timeoutMs: left(), fetchFn, baseUrl, defaultTimeoutMs });
    const urls = extractDashscopeVideoUrls(done);
    if (urls.length === 0) throw new Error(`${providerLabel} video generation completed without output video URLs`);
    const videos = await downloadDashscopeGeneratedVideos({ providerLabel, urls, timeoutMs: left(), fetchFn, defaultTimeoutMs });
    return { videos, model, metadata: { requestId: sent.request_id, taskId, taskStatus: done.output?.task_status } };
  } finally {
    await release();
  }
}
