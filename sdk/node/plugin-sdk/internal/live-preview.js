// Previews of replies that become the reply by a last edit.

/** The state of a live message. @param {any} [params] @returns {any} */
export function createLiveMessageState(params) {
  const { receipt, lastRendered } = params ?? {};
  return {
    phase: receipt ? 'previewing' : 'idle',
    canFinalizeInPlace: params?.canFinalizeInPlace ?? Boolean(receipt),
    ...(receipt ? { receipt } : {}),
    ...(lastRendered ? { lastRendered } : {}),
  };
}
/** @param {any} state @param {any} rendered @returns {any} */
export const markLiveMessagePreviewUpdated = (state, rendered) => ({ ...state, phase: 'previewing', lastRendered: rendered });
/** @param {any} state @param {any} receipt @returns {any} */
export const markLiveMessageFinalized = (state, receipt) => ({ ...state, phase: 'finalized', receipt, canFinalizeInPlace: false });
/** @param {any} state @returns {any} */
export const markLiveMessageCancelled = (state) => ({ ...state, phase: 'cancelled', canFinalizeInPlace: false });

/** The receipt of a preview. @param {any} params @returns {any} */
export function createPreviewMessageReceipt({ id, threadId, replyToId, sentAt, raw }) {
  const platformMessageId = String(id);
  const context = { ...(threadId ? { threadId } : {}), ...(replyToId ? { replyToId } : {}) };
  return {
    primaryPlatformMessageId: platformMessageId,
    platformMessageIds: [platformMessageId],
    parts: [{ platformMessageId, kind: 'preview', index: 0, ...context }],
    ...context,
    sentAt: sentAt ?? Date.now(),
    ...(raw === undefined ? {} : { raw: [{ meta: { raw } }] }),
  };
}

/** @template T @param {T} adapter @returns {T} */
export const defineFinalizableLivePreviewAdapter = (adapter) => adapter;

async function deliver({ payload, deliverNormally, onNormalDelivered }) {
  const delivered = (await deliverNormally(payload)) !== false;
  if (delivered) await onNormalDelivered?.();
  return delivered;
}

/** Makes the preview the reply; `undefined` when that cannot be done. */
async function finalEdit(params, liveState) {
  const { draft, payload } = params;
  const edit = liveState.canFinalizeInPlace ? params.buildFinalEdit(payload) : undefined;
  if (edit === undefined) return undefined;
  await draft.flush();
  const id = draft.id();
  if (id === undefined) return undefined;
  await draft.seal?.();
  const receiptOf = (finalId) => params.createPreviewReceipt?.(finalId, edit) ?? createPreviewMessageReceipt({ id: finalId });
  try {
    await params.editFinal(id, edit);
  } catch (error) {
    params.logPreviewEditFailure?.(error);
    if ((await params.handlePreviewEditError?.({ error, id, edit, payload, liveState })) !== 'retain') return undefined;
    return { kind: 'preview-retained', liveState: { ...liveState, phase: 'previewing', canFinalizeInPlace: true, receipt: liveState.receipt ?? receiptOf(id) } };
  }
  const finalId = params.resolveFinalizedId?.(id, edit) ?? id;
  const receipt = receiptOf(finalId);
  const state = markLiveMessageFinalized(liveState, receipt);
  await params.onPreviewFinalized?.(finalId, receipt, state);
  return { kind: 'preview-finalized', liveState: state };
}

/** Delivers a payload: a final one by editing its preview, and normally where that fails or there is none. @param {any} params @returns {Promise<{kind: string, liveState: any}>} */
export async function deliverFinalizableLivePreview(params) {
  const { kind, draft } = params;
  const liveState = params.liveState ?? createLiveMessageState({ canFinalizeInPlace: Boolean(draft) });
  const ending = (delivered, state) => ({ kind: delivered ? 'normal-delivered' : 'normal-skipped', liveState: state });
  if (kind !== 'final' || !draft) return ending(await deliver(params), liveState);
  const finalized = await finalEdit(params, liveState);
  if (finalized) return finalized;
  await (draft.discardPending ? draft.discardPending() : draft.clear());
  // A reply that was sent takes the preview's place, even when telling of it fails.
  let sent = false;
  const deliverNormally = async (payload) => {
    const answer = await params.deliverNormally(payload);
    sent = answer !== false;
    return answer;
  };
  try {
    await deliver({ ...params, deliverNormally });
  } finally {
    if (sent) await draft.clear();
  }
  return ending(sent, markLiveMessageCancelled(liveState));
}

/** The same with an adapter, or normally without one. @param {any} params @returns {Promise<{kind: string, liveState: any}>} */
export async function deliverWithFinalizableLivePreviewAdapter({ adapter, kind, payload, liveState, deliverNormally, onNormalDelivered }) {
  const base = { kind, payload, deliverNormally, onNormalDelivered };
  if (adapter) return deliverFinalizableLivePreview({ ...adapter, ...base, liveState });
  const state = liveState ?? createLiveMessageState();
  return { kind: (await deliver(base)) ? 'normal-delivered' : 'normal-skipped', liveState: state };
}

/** The same for drafts of older callers; the answer is the kind alone. @param {any} params @returns {Promise<string>} */
export async function deliverFinalizableDraftPreview({ onPreviewFinalized, handlePreviewEditError: _newer, createPreviewReceipt: _newest, ...params }) {
  const { kind } = await deliverFinalizableLivePreview({ ...params, onPreviewFinalized: async (id) => void (await onPreviewFinalized?.(id)) });
  return kind === 'preview-retained' ? 'normal-skipped' : kind;
}
