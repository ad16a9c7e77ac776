// Music that a service made: where its answer says it lies, and the file itself.
import { readResponseWithLimit } from '../http-body.js';
import { maxBytesForKind } from '../media/limits.js';
import { extensionForMime } from '../mime.js';
import { fetchProviderDownloadResponse } from '../provider/operations.js';
import { isRecord, normalizeOptionalString } from '../strings.js';

/** @typedef {{url: string, mimeType?: string, fileName?: string}} MusicCandidate */
/** @typedef {{buffer: Buffer, mimeType: string, fileName: string, metadata?: object}} MusicAsset */

const nameOf = ({ fileName, index = 0 }, mimeType) => fileName ?? `track-${index + 1}${extensionForMime(mimeType) || '.mp3'}`;

/** The files that an answer names. @param {unknown} payload @param {readonly string[]} [keys] @returns {MusicCandidate[]} */
export function extractGeneratedMusicFileCandidates(payload, keys = ['audio', 'audio_file']) {
  if (!isRecord(payload)) return [];
  return keys.flatMap((key) => {
    const file = isRecord(payload[key]) ? payload[key] : { url: payload[key] };
    const [url, mimeType, fileName] = [file.url, file.content_type, file.file_name].map((value) => normalizeOptionalString(value));
    return url ? [{ url, ...(mimeType ? { mimeType } : {}), ...(fileName ? { fileName } : {}) }] : [];
  });
}

/** A file that came in the answer. @param {{base64: string, mimeType: string, fileName?: string, index?: number}} params @returns {MusicAsset} */
export const generatedMusicAssetFromBase64 = (params) => ({ buffer: Buffer.from(params.base64, 'base64'), mimeType: params.mimeType, fileName: nameOf(params, params.mimeType) });

/** A type that says more than "bytes". */
function audioType(value) {
  const type = normalizeOptionalString(value)?.split(';')[0].trim().toLowerCase();
  return type && !/^(?:application|binary)\/octet-stream$/.test(type) ? type : undefined;
}

/**
 * Fetches a file, up to a size.
 * @param {{candidate: MusicCandidate, provider: string, requestFailedMessage: string, timeoutMs?: number | (() => number), fetchFn: typeof fetch, maxBytes?: number, index?: number}} params
 * @returns {Promise<MusicAsset>}
 */
export async function downloadGeneratedMusicAsset({ candidate, maxBytes = maxBytesForKind('audio'), index, ...request }) {
  const response = await fetchProviderDownloadResponse({ ...request, url: candidate.url, init: { method: 'GET' } });
  const mimeType = audioType(response.headers.get('content-type')) ?? audioType(candidate.mimeType) ?? 'audio/mpeg';
  const onOverflow = ({ maxBytes: most }) => new Error(`the music of ${request.provider} has more than ${most} bytes`);
  const buffer = await readResponseWithLimit(response, maxBytes, { onOverflow });
  return { buffer, mimeType, fileName: nameOf({ fileName: candidate.fileName, index }, mimeType), metadata: { url: candidate.url } };
}
