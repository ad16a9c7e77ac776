// Media as messages carry them.
import { resolveChannelMediaMaxBytes } from '../feedback.js';
import { normalizeProviderId } from '../provider/id.js';
import { normalizeOptionalString } from '../strings.js';
import { loadWebMedia } from './load.js';
import { buildOutboundMediaLoadOptions } from './roots.js';
import { saveMediaBuffer } from './store.js';

/** The media members of an inbound message. @param {{ path: string, contentType?: string | null }[]} list @returns {object} */
export function buildAgentMediaPayload(list) {
  const paths = list.length > 0 ? list.map((media) => media.path) : undefined;
  const types = list.map((media) => media.contentType).filter(Boolean);
  return {
    MediaPath: list[0]?.path, MediaType: list[0]?.contentType ?? undefined, MediaUrl: list[0]?.path,
    MediaPaths: paths, MediaUrls: paths, MediaTypes: types.length > 0 ? types : undefined,
  };
}

/** The media of an inbound message. @param {object} ctx @returns {{ path?: string, url?: string, mime?: string, index: number, alreadyTranscribed: boolean }[]} */
export function normalizeMediaAttachments(ctx) {
  const list = (value) => (Array.isArray(value) && value.length > 0 ? value : undefined);
  const [paths, urls] = [list(ctx.MediaPaths), list(ctx.MediaUrls)];
  const rows = paths ?? urls ?? [undefined];
  const done = new Set(Array.isArray(ctx.MediaTranscribedIndexes) ? ctx.MediaTranscribedIndexes : []);
  const typeOf = (index) => normalizeOptionalString(Array.isArray(ctx.MediaTypes) ? ctx.MediaTypes[index] : undefined) ?? (rows.length === 1 ? ctx.MediaType : undefined);
  const row = (index) => {
    if (paths) return { path: normalizeOptionalString(paths[index]), url: urls?.[index] ?? ctx.MediaUrl };
    if (urls) return { path: undefined, url: normalizeOptionalString(urls[index]) };
    return { path: normalizeOptionalString(ctx.MediaPath), url: normalizeOptionalString(ctx.MediaUrl) };
  };
  return rows
    .map((_, index) => ({ ...row(index), mime: paths || urls ? typeOf(index) : ctx.MediaType, index, alreadyTranscribed: done.has(index) }))
    .filter((entry) => entry.path ?? normalizeOptionalString(entry.url));
}

/** A media provider's id in canonical form. @param {string} id @returns {string} */
export const normalizeMediaProviderId = (id) => (normalizeProviderId(id) === 'gemini' ? 'google' : normalizeProviderId(id));

export const resolveScopedChannelMediaMaxBytes = resolveChannelMediaMaxBytes;
/** The size limit of a channel's accounts as a function. @param {string} channel @returns {(params: { cfg: object, accountId?: string }) => number | undefined} */
export const createScopedChannelMediaMaxBytesResolver = (channel) => ({ cfg, accountId }) =>
  resolveChannelMediaMaxBytes({
    cfg, accountId,
    resolveChannelLimitMb: (at) => at.cfg.channels?.[channel]?.accounts?.[at.accountId]?.mediaMaxMb ?? at.cfg.channels?.[channel]?.mediaMaxMb,
  });

/** Loads media for a message that goes out. @param {string} mediaUrl @param {object} [options] */
export const loadOutboundMediaFromUrl = (mediaUrl, options = {}) => loadWebMedia(mediaUrl, buildOutboundMediaLoadOptions(options));

/** Loads media and keeps them in the store. @param {string} mediaUrl @param {number} maxBytes @param {{ mediaAccess?: object, localRoots?: string[], readFile?: Function }} [options] @returns {Promise<{ path: string, contentType?: string }>} */
export async function resolveOutboundAttachmentFromUrl(mediaUrl, maxBytes, options) {
  const media = await loadOutboundMediaFromUrl(mediaUrl, { maxBytes, mediaAccess: options?.mediaAccess, mediaLocalRoots: options?.localRoots, mediaReadFile: options?.readFile });
  const saved = await saveMediaBuffer(media.buffer, media.contentType, 'outbound', maxBytes, media.fileName);
  return { path: saved.path, contentType: saved.contentType };
}
