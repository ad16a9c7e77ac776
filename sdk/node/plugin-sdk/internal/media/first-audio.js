// The first voice message of an inbound message as text, before anything is decided on it.
import { peer, plugins } from '../../../worker/state.js';
import { logVerbose } from '../host.js';
import { isAudioFileName, kindFromMime } from '../mime.js';
import { normalizeMediaAttachments } from './payload.js';

function isAudio({ mime, path, url }) {
  const kind = kindFromMime(mime);
  return ['image', 'audio', 'video'].includes(kind) ? kind === 'audio' : isAudioFileName(path ?? url);
}

/**
 * Transcribes the first attachment that is audio. What fails is no transcript.
 * @param {{ctx: any, cfg: any, agentDir?: string}} params @returns {Promise<string | undefined>}
 */
export async function transcribeFirstAudio({ ctx, cfg, agentDir }) {
  if (cfg.tools?.media?.audio?.enabled === false || !peer) return undefined;
  const first = normalizeMediaAttachments(ctx)?.find((attachment) => isAudio(attachment) && !attachment.alreadyTranscribed);
  if (!first?.path) return undefined;
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  try {
    const answer = await peer.request('host.mediaUnderstanding.transcribeAudioFile', { pluginId, args: [{ filePath: first.path, mime: first.mime, agentDir }] });
    return answer?.text || undefined;
  } catch (error) {
    logVerbose(`the voice message could not be transcribed: ${error?.message ?? error}`);
    return undefined;
  }
}
