// The route of an inbound message and the envelope text around it.

/** Resolves the route, and returns a builder of envelopes for its session. */
export function resolveInboundRouteEnvelopeBuilder(params) {
  const { cfg, channel, accountId, peer, sessionStore } = params;
  const route = params.resolveAgentRoute({ cfg, channel, accountId, peer });
  const storePath = params.resolveStorePath(sessionStore, { agentId: route.agentId });
  const envelope = params.resolveEnvelopeFormatOptions(cfg);
  const buildEnvelope = (input) => ({
    storePath,
    body: params.formatAgentEnvelope({
      channel: input.channel,
      from: input.from,
      timestamp: input.timestamp,
      previousTimestamp: params.readSessionUpdatedAt({ storePath, sessionKey: route.sessionKey }),
      envelope,
      body: input.body,
    }),
  });
  return { route, buildEnvelope };
}

/** The same with the functions of a channel runtime. */
export function resolveInboundRouteEnvelopeBuilderWithRuntime({ runtime, ...params }) {
  return resolveInboundRouteEnvelopeBuilder({
    ...params,
    resolveAgentRoute: (query) => runtime.routing.resolveAgentRoute(query),
    resolveStorePath: runtime.session.resolveStorePath,
    readSessionUpdatedAt: runtime.session.readSessionUpdatedAt,
    resolveEnvelopeFormatOptions: runtime.reply.resolveEnvelopeFormatOptions,
    formatAgentEnvelope: runtime.reply.formatAgentEnvelope,
  });
}
