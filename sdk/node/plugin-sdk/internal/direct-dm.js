// Direct messages that arrive encrypted: limits before anything is decrypted.
const whole = (value, fallback, min) => (Number.isFinite(value) ? Math.max(min, Math.floor(value)) : fallback);

/** Limits of encrypted direct messages; times in seconds and milliseconds, sizes in bytes. @param {any} [overrides] @returns {any} */
export function createDirectDmPreCryptoGuardPolicy(overrides = {}) {
  const { rateLimit } = overrides;
  return {
    allowedKinds: overrides.allowedKinds ?? [4],
    maxFutureSkewSec: whole(overrides.maxFutureSkewSec, 120, 0),
    maxCiphertextBytes: whole(overrides.maxCiphertextBytes, 16_384, 1),
    maxPlaintextBytes: whole(overrides.maxPlaintextBytes, 8192, 1),
    rateLimit: {
      windowMs: whole(rateLimit?.windowMs, 60_000, 1),
      maxPerSenderPerWindow: whole(rateLimit?.maxPerSenderPerWindow, 20, 1),
      maxGlobalPerWindow: whole(rateLimit?.maxGlobalPerWindow, 200, 1),
      maxTrackedSenderKeys: whole(rateLimit?.maxTrackedSenderKeys, 4096, 1),
    },
  };
}

/** Decides on a sender before decryption: blocks, lets in, or asks for pairing. @param {any} params @returns {(input: any) => Promise<'allow'|'block'|'pairing'>} */
export function createPreCryptoDirectDmAuthorizer({ resolveAccess, issuePairingChallenge, onBlocked }) {
  return async ({ senderId, reply }) => {
    const resolved = await resolveAccess(senderId);
    const { access } = resolved;
    if (access.decision === 'allow') return 'allow';
    if (access.decision === 'pairing') {
      if (issuePairingChallenge) await issuePairingChallenge({ senderId, reply });
      return 'pairing';
    }
    onBlocked?.({ senderId, reason: access.reason, reasonCode: access.reasonCode });
    return 'block';
  };
}
