// What the line before an inbound message says of its session.
import { resolveEnvelopeFormatOptions } from './envelope-format.js';
import { resolveStorePath } from './paths.js';
import { readSessionUpdatedAt } from './session-store.js';

/** The session's store, how its envelopes look and when it was last used. @param {{cfg: any, agentId: string, sessionKey: string}} params @returns {{storePath: string, envelopeOptions: any, previousTimestamp?: number}} */
export function resolveInboundSessionEnvelopeContext({ cfg, agentId, sessionKey }) {
  const storePath = resolveStorePath(cfg.session?.store, { agentId });
  return { storePath, envelopeOptions: resolveEnvelopeFormatOptions(cfg), previousTimestamp: readSessionUpdatedAt({ storePath, sessionKey }) };
}
