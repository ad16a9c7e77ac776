// Conversations that the configuration binds to sessions of other programs: none are built, so nothing is bound.
import { ensureConfiguredBindingRouteReady } from './binding-routes.js';
import { ownChannel } from './message-channels.js';
import { sessionGroup } from '../../worker/runtime/channel/session.js';
import { plugins } from '../../worker/state.js';

/** @returns {{bindingCount: number, channelCount: number}} what was found to bind */
export const primeConfiguredBindingRegistry = () => ({ bindingCount: 0, channelCount: 0 });
/** @returns {null} */
export const resolveConfiguredBinding = () => null;
/** @returns {null} */
export const resolveConfiguredBindingRecord = () => null;
/** @returns {null} */
export const resolveConfiguredBindingRecordBySessionKey = () => null;
/** @returns {null} */
export const resolveConfiguredBindingRecordForConversation = () => null;
/** Whether what a binding leads to takes messages. @param {{bindingResolution?: object | null}} params @returns {Promise<{ok: boolean, error?: string}>} */
export const ensureConfiguredBindingTargetReady = ensureConfiguredBindingRouteReady;
/** @param {{bindingResolution: any}} params @returns {Promise<{ok: false, sessionKey: string, error: string}>} */
export const ensureConfiguredBindingTargetSession = async ({ bindingResolution }) => ({ ok: false, sessionKey: bindingResolution.statefulTarget.sessionKey, error: 'bindings of the type `acp` are not built' });
/** @returns {Promise<{ok: false, skipped: true}>} */
export const resetConfiguredBindingTargetInPlace = async () => ({ ok: false, skipped: true });

/** What a channel calls the id of a sender. @param {string} channel @returns {string} */
export const resolvePairingIdLabel = (channel) => ownChannel(channel)?.pairing?.idLabel ?? 'userId';

/** Writes what a message says about its session; a failure is told and never thrown. @param {{sessionKey: string, ctx: any, onError?: (error: unknown) => void}} params */
export async function recordInboundSessionMetaSafe({ sessionKey, ctx, onError }) {
  const id = plugins.size === 1 ? plugins.keys().next().value : undefined;
  await Promise.resolve().then(() => sessionGroup({ id }).recordSessionMetaFromInbound({ sessionKey, ctx })).catch((error) => onError?.(error));
}
