// Types of what plugins are given. Everything that is not written out here is `any`.
declare module "chela-sdk/api" {
  export type Maybe<T> = T | void | null | undefined;
  export type Awaitable<T> = T | Promise<T>;

  export interface PluginLogger {
    debug?(...values: unknown[]): void;
    info(...values: unknown[]): void;
    warn(...values: unknown[]): void;
    error(...values: unknown[]): void;
  }

  export type OpenClawConfig = { [section: string]: any };
  export type JsonSchema = { [keyword: string]: any };

  export interface ToolResult {
    content: Array<{ type: string; text?: string; [member: string]: any }>;
    details?: any;
  }
  export interface AnyAgentTool {
    name: string;
    label?: string;
    description: string;
    parameters: JsonSchema;
    ownerOnly?: boolean;
    execute(toolCallId: string, params: any, signal?: AbortSignal, onUpdate?: (partial: any) => void): Awaitable<ToolResult | string | null | undefined>;
    [member: string]: any;
  }
  export interface OpenClawPluginToolContext {
    config?: OpenClawConfig;
    workspaceDir?: string;
    agentDir?: string;
    agentId?: string;
    sessionKey?: string;
    sessionId?: string;
    messageChannel?: string;
    senderIsOwner?: boolean;
    sandboxed?: boolean;
    [member: string]: any;
  }
  export type OpenClawPluginToolFactory = (ctx: OpenClawPluginToolContext) => Maybe<AnyAgentTool | AnyAgentTool[]>;

  export interface PluginHookAgentContext {
    runId?: string;
    agentId?: string;
    sessionKey?: string;
    sessionId?: string;
    workspaceDir?: string;
    messageProvider?: string;
    channelId?: string;
    trigger?: string;
    modelProviderId?: string;
    modelId?: string;
    [member: string]: any;
  }
  export type PluginHookToolContext = PluginHookAgentContext & { toolName: string; toolCallId?: string };
  export interface PluginHookMessageContext { channelId: string; accountId?: string; conversationId?: string; sessionKey?: string; [member: string]: any }
  export interface PluginHookSessionContext { agentId?: string; sessionKey?: string; sessionId: string; [member: string]: any }
  export interface PluginHookSubagentContext { runId?: string; childSessionKey?: string; requesterSessionKey?: string; [member: string]: any }
  export interface PluginHookGatewayContext { port?: number; config?: OpenClawConfig; workspaceDir?: string; getCron?: () => any }

  type PromptContext = { prependContext?: string; appendContext?: string };
  type ModelCall = { runId: string; callId: string; provider: string; model: string; sessionKey?: string; sessionId?: string; api?: string; transport?: string };
  type SpawnedChild = { childSessionKey: string; agentId: string; label?: string; mode: "run" | "session"; requester?: any; threadRequested: boolean };
  type Claimed = { handled: boolean; reply?: any; reason?: string; text?: string };

  /** Each typed hook: its event, its context, and what a handler may return. */
  export interface PluginHooks {
    before_model_resolve: [{ prompt: string; attachments?: any[] }, PluginHookAgentContext, { providerOverride?: string; modelOverride?: string }];
    agent_turn_prepare: [{ prompt: string; messages: unknown[]; queuedInjections: any[] }, PluginHookAgentContext, PromptContext];
    heartbeat_prompt_contribution: [{ sessionKey?: string; agentId?: string; heartbeatName?: string }, PluginHookAgentContext, PromptContext];
    before_prompt_build: [
      { prompt: string; messages: unknown[] }, PluginHookAgentContext,
      PromptContext & { systemPrompt?: string; prependSystemContext?: string; appendSystemContext?: string },
    ];
    before_agent_start: [{ prompt: string; runId?: string; messages?: unknown[] }, PluginHookAgentContext, { [member: string]: any }];
    before_agent_run: [
      { prompt: string; messages: unknown[]; systemPrompt?: string; channelId?: string; accountId?: string; senderId?: string; senderIsOwner?: boolean },
      PluginHookAgentContext,
      { outcome: "pass" } | { outcome: "block"; reason: string; message?: string; category?: string; metadata?: object },
    ];
    before_agent_reply: [{ cleanedBody: string }, PluginHookAgentContext, Claimed];
    before_agent_finalize: [
      { sessionId: string; stopHookActive: boolean; lastAssistantMessage?: string; messages?: unknown[]; [member: string]: any }, PluginHookAgentContext,
      { action?: "continue" | "revise" | "finalize"; reason?: string; retry?: { instruction: string; idempotencyKey?: string; maxAttempts?: number } },
    ];
    model_call_started: [ModelCall, PluginHookAgentContext, void];
    model_call_ended: [ModelCall & { durationMs: number; outcome: "completed" | "error"; [member: string]: any }, PluginHookAgentContext, void];
    llm_input: [
      { runId: string; sessionId: string; provider: string; model: string; systemPrompt?: string; prompt: string; historyMessages: unknown[]; imagesCount: number },
      PluginHookAgentContext, void,
    ];
    llm_output: [
      { runId: string; sessionId: string; provider: string; model: string; assistantTexts: string[]; lastAssistant?: any; usage?: any; [member: string]: any },
      PluginHookAgentContext, void,
    ];
    agent_end: [{ messages: unknown[]; success: boolean; error?: string; durationMs?: number; runId?: string }, PluginHookAgentContext, void];
    before_tool_call: [
      { toolName: string; params: Record<string, any>; runId?: string; toolCallId?: string; derivedPaths?: string[] }, PluginHookToolContext,
      { params?: Record<string, any>; block?: boolean; blockReason?: string; requireApproval?: { title: string; description: string; [member: string]: any } },
    ];
    after_tool_call: [
      { toolName: string; params: Record<string, any>; runId?: string; toolCallId?: string; result?: any; error?: string; durationMs?: number },
      PluginHookToolContext, void,
    ];
    tool_result_persist: [{ toolName?: string; toolCallId?: string; message: any; isSynthetic?: boolean }, { [member: string]: any }, { message?: any }];
    before_message_write: [{ message: any; sessionKey?: string; agentId?: string }, { agentId?: string; sessionKey?: string }, { block?: boolean; message?: any }];
    before_compaction: [{ messageCount: number; compactingCount?: number; tokenCount?: number; messages?: unknown[]; sessionFile?: string }, PluginHookAgentContext, void];
    after_compaction: [{ messageCount: number; compactedCount: number; tokenCount?: number; sessionFile?: string }, PluginHookAgentContext, void];
    before_reset: [{ sessionFile?: string; messages?: unknown[]; reason?: string }, PluginHookAgentContext, void];
    session_start: [{ sessionId: string; sessionKey?: string; resumedFrom?: string }, PluginHookSessionContext, void];
    session_end: [
      { sessionId: string; sessionKey?: string; messageCount: number; durationMs?: number; reason?: string; [member: string]: any }, PluginHookSessionContext, void,
    ];
    inbound_claim: [{ content: string; channel: string; isGroup: boolean; [member: string]: any }, PluginHookMessageContext, Claimed];
    message_received: [{ from: string; content: string; timestamp?: number; metadata?: Record<string, any>; [member: string]: any }, PluginHookMessageContext, void];
    before_dispatch: [{ content: string; body?: string; channel?: string; sessionKey?: string; [member: string]: any }, PluginHookMessageContext, Claimed];
    reply_dispatch: [{ ctx: any; sendPolicy: "allow" | "deny"; [member: string]: any }, { [member: string]: any }, { handled: boolean; queuedFinal: boolean; counts: any }];
    message_sending: [
      { to: string; content: string; replyToId?: string; threadId?: string | number; metadata?: any }, PluginHookMessageContext,
      { content?: string; cancel?: boolean; cancelReason?: string; metadata?: any },
    ];
    message_sent: [{ to: string; content: string; success: boolean; messageId?: string; error?: string; [member: string]: any }, PluginHookMessageContext, void];
    subagent_spawning: [
      SpawnedChild, PluginHookSubagentContext, { status: "ok"; threadBindingReady?: boolean; deliveryOrigin?: any } | { status: "error"; error: string },
    ];
    subagent_delivery_target: [{ childSessionKey: string; requesterSessionKey: string; [member: string]: any }, PluginHookSubagentContext, { origin?: any }];
    subagent_spawned: [SpawnedChild & { runId: string }, PluginHookSubagentContext, void];
    subagent_ended: [{ targetSessionKey: string; targetKind: string; reason: string; [member: string]: any }, PluginHookSubagentContext, void];
    gateway_start: [{ port: number }, PluginHookGatewayContext, void];
    gateway_stop: [{ reason?: string }, PluginHookGatewayContext, void];
    cron_changed: [{ action: string; jobId: string; job?: any; [member: string]: any }, PluginHookGatewayContext, void];
    before_install: [
      { targetType: "skill" | "plugin"; targetName: string; sourcePath: string; request: any; builtinScan: any; [member: string]: any }, { [member: string]: any },
      { findings?: any[]; block?: boolean; blockReason?: string },
    ];
  }
  export type PluginHookName = keyof PluginHooks;
  export type PluginHookHandler<N extends PluginHookName> = (event: PluginHooks[N][0], ctx: PluginHooks[N][1]) => Awaitable<Maybe<PluginHooks[N][2]>>;

  export interface PluginCommandContext { args?: string; commandBody: string; channel: string; senderId?: string; isAuthorizedSender: boolean; [member: string]: any }
  export interface OpenClawPluginCommandDefinition {
    name: string;
    description: string;
    acceptsArgs?: boolean;
    requireAuth?: boolean;
    handler(ctx: PluginCommandContext): Awaitable<Maybe<{ text?: string; continueAgent?: boolean; [member: string]: any }>>;
    [member: string]: any;
  }
  export interface OpenClawPluginServiceContext { config: OpenClawConfig; workspaceDir?: string; stateDir: string; logger: PluginLogger; [member: string]: any }
  export interface OpenClawPluginService {
    id: string;
    start(ctx: OpenClawPluginServiceContext): Awaitable<void>;
    stop?(ctx: OpenClawPluginServiceContext): Awaitable<void>;
  }
  export interface OpenClawPluginHttpRoute {
    path: string;
    auth: "gateway" | "plugin";
    match?: "exact" | "prefix";
    handler(req: any, res: any): Awaitable<boolean | void>;
    [member: string]: any;
  }

  export interface OpenClawPluginApi {
    readonly id: string;
    readonly name: string;
    readonly version?: string;
    readonly description?: string;
    readonly source: string;
    readonly rootDir?: string;
    readonly registrationMode: string;
    readonly config: OpenClawConfig;
    readonly pluginConfig?: Record<string, unknown>;
    readonly logger: PluginLogger;
    /** What the host offers: `agent`, `config`, `events`, `llm`, `state`, `system`, `tasks` and more. */
    readonly runtime: any;
    on<N extends PluginHookName>(hook: N, handler: PluginHookHandler<N>, options?: { priority?: number; timeoutMs?: number }): void;
    registerHook(events: string | string[], handler: (event: any) => Awaitable<void>, options?: { name?: string; description?: string; [member: string]: any }): void;
    registerTool(tool: AnyAgentTool | OpenClawPluginToolFactory, options?: { name?: string; names?: string[]; optional?: boolean }): void;
    registerCommand(command: OpenClawPluginCommandDefinition): void;
    registerService(service: OpenClawPluginService): void;
    registerHttpRoute(route: OpenClawPluginHttpRoute): void;
    registerGatewayMethod(method: string, handler: (request: { params: any; respond(ok: boolean, payload?: unknown, error?: unknown): void; [member: string]: any }) => unknown, options?: { scope?: string }): void;
    registerCli(registrar: (context: { program: any; config: OpenClawConfig; logger: PluginLogger; [member: string]: any }) => Awaitable<void>, options?: any): void;
    registerProvider(provider: { id: string; label: string; [member: string]: any }): void;
    registerChannel(registration: { plugin: any } | any): void;
    resolvePath(input: string): string;
    [member: string]: any;
  }
  export interface OpenClawPluginDefinition {
    id: string;
    name: string;
    description: string;
    kind?: string | string[];
    configSchema?: any;
    reload?: any;
    nodeHostCommands?: any[];
    securityAuditCollectors?: any[];
    register(api: OpenClawPluginApi): void;
  }
}
