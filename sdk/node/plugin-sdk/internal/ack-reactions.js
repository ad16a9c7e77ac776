// Reactions that acknowledge a message, and that show what happens with it.
import { normalizeOptionalLowercaseString } from './strings.js';

/** How long states last, in milliseconds. */
export const DEFAULT_TIMING = { debounceMs: 700, stallSoftMs: 10_000, stallHardMs: 30_000, doneHoldMs: 1500, errorHoldMs: 2500 };
/** The emoji of each state. */
export const DEFAULT_EMOJIS = {
  queued: '👀', thinking: '🧠', tool: '🛠️', coding: '💻', web: '🌐', deploy: '🛫', build: '🏗️', concierge: '💁', done: '✅', error: '❌',
  stallSoft: '⏳', stallHard: '⚠️', compacting: '🗜️',
};
/** Parts of the names of tools that deploy, build, browse, read the web or work on code. */
export const DEPLOY_TOOL_TOKENS = ['fastlane', 'deploy', 'upload', 'testflight', 'ship', 'release', 'publish', 'distribute'];
export const BUILD_TOOL_TOKENS = ['build', 'compile', 'xcode', 'swift', 'gradle', 'cargo', 'make', 'cmake', 'webpack', 'vite', 'tsc', 'lint'];
export const CONCIERGE_TOOL_TOKENS = ['navigate', 'click', 'fill', 'screenshot', 'scroll', 'page', 'form', 'puppeteer', 'playwright', 'selenium', 'chromedp'];
export const WEB_TOOL_TOKENS = ['web_search', 'web-search', 'web_fetch', 'web-fetch', 'browser'];
export const CODING_TOOL_TOKENS = ['exec', 'process', 'read', 'write', 'edit', 'session_status', 'bash'];

const KINDS = [['deploy', DEPLOY_TOOL_TOKENS], ['build', BUILD_TOOL_TOKENS], ['concierge', CONCIERGE_TOOL_TOKENS], ['web', WEB_TOOL_TOKENS], ['coding', CODING_TOOL_TOKENS]];

/** The emoji of a tool by its name. @param {string|undefined} toolName @param {Record<string, string>} emojis @returns {string} */
export function resolveToolEmoji(toolName, emojis) {
  const name = normalizeOptionalLowercaseString(toolName);
  const kind = name && KINDS.find(([, tokens]) => tokens.some((token) => name.includes(token)))?.[0];
  return emojis[kind || 'tool'];
}

/** Whether a message is acknowledged. @param {any} params @returns {boolean} */
export function shouldAckReaction({ scope = 'group-mentions', isDirect, isGroup, isMentionableGroup, requireMention, canDetectMention, effectiveWasMentioned, shouldBypassMention }) {
  switch (scope ?? 'group-mentions') {
    case 'all': return true;
    case 'direct': return isDirect;
    case 'group-all': return isGroup;
    case 'group-mentions':
      return Boolean(isMentionableGroup && requireMention && canDetectMention) && (effectiveWasMentioned || shouldBypassMention === true);
    default: return false;
  }
}

/** The same with the settings of WhatsApp. @param {any} params @returns {boolean} */
export function shouldAckReactionForWhatsApp({ emoji, isDirect, isGroup, directEnabled, groupMode, wasMentioned, groupActivated }) {
  if (!emoji) return false;
  if (isDirect) return directEnabled;
  if (!isGroup || groupMode === 'never') return false;
  return groupMode === 'always' || wasMentioned || groupActivated === true;
}

/** Sends the reaction; the handle knows whether it arrived. `null` without an emoji. @param {{ackReactionValue: string, send: () => Promise<any>, remove: () => Promise<any>, onSendError?: (error: unknown) => void}} params @returns {any} */
export function createAckReactionHandle({ ackReactionValue: raw, send, remove, onSendError }) {
  const ackReactionValue = raw.trim();
  if (!ackReactionValue) return null;
  const sent = new Promise((resolve) => resolve(send()));
  const ackReactionPromise = sent.then(() => true, (error) => {
    onSendError?.(error instanceof Error ? error : new Error(String(error)));
    return false;
  });
  return { ackReactionPromise, ackReactionValue, remove };
}

/** Takes the reaction away once it has arrived. @param {any} params @returns {void} */
export function removeAckReactionAfterReply({ removeAfterReply, ackReactionPromise, ackReactionValue, remove, onError }) {
  if (!removeAfterReply || !ackReactionPromise || !ackReactionValue) return;
  void ackReactionPromise.then((arrived) => (arrived ? remove() : undefined)).catch((error) => onError?.(error));
}

/** The same with a handle. @param {any} params @returns {void} */
export const removeAckReactionHandleAfterReply = ({ removeAfterReply, ackReaction, onError }) =>
  removeAckReactionAfterReply({ ...ackReaction, removeAfterReply, onError });
