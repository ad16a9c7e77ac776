// Where the gateway listens.
import { normalizeOptionalString } from './strings.js';

const DEFAULT_PORT = 18789;

/** A port in `8080`, `host:8080` or `[::1]:8080`. */
function portIn(text) {
  const [, digits] = /^(?:\[[^\]]+\]:|[^:]+:)?(\d+)$/.exec(text?.trim() ?? '') ?? [];
  return Number(digits) > 0 ? Number(digits) : undefined;
}

/** The port of the gateway: of the environment, else of the configuration. @param {object} [cfg] @param {NodeJS.ProcessEnv} [env] @returns {number} */
export function resolveGatewayPort(cfg, env = process.env) {
  const port = cfg?.gateway?.port;
  return portIn(env.OPENCLAW_GATEWAY_PORT) ?? (Number.isFinite(port) && port > 0 ? port : DEFAULT_PORT);
}

/**
 * The address under which others reach the gateway; `null` when it listens on this machine only.
 * @param {{bind?: string, customBindHost?: string, scheme: string, port: number, pickTailnetHost: () => string | null, pickLanHost: () => string | null}} params
 * @returns {{url: string, source: string} | {error: string} | null}
 */
export function resolveGatewayBindUrl({ bind = 'loopback', customBindHost, scheme, port, pickTailnetHost, pickLanHost }) {
  const ways = {
    custom: [() => normalizeOptionalString(customBindHost), 'gateway.bind=custom requires gateway.customBindHost.'],
    tailnet: [pickTailnetHost, 'gateway.bind=tailnet set, but no tailnet IP was found.'],
    lan: [pickLanHost, 'gateway.bind=lan set, but no private LAN IP was found.'],
  };
  if (!Object.hasOwn(ways, bind)) return null;
  const [find, error] = ways[bind];
  const host = find();
  return host ? { url: `${scheme}://${host}:${port}`, source: `gateway.bind=${bind}` } : { error };
}

const TAILSCALE = ['tailscale', '/Applications/Tailscale.app/Contents/MacOS/Tailscale'];
/** How long `tailscale status` may take, in ms. */
const STATUS_TIMEOUT = 5000;

function tailnetHost(text) {
  const [from, to] = [text.indexOf('{'), text.lastIndexOf('}')];
  if (from < 0 || to <= from) return undefined;
  try {
    const { DNSName, TailscaleIPs } = JSON.parse(text.slice(from, to + 1)).Self ?? {};
    return DNSName?.replace(/\.$/, '') || TailscaleIPs?.[0];
  } catch {
    return undefined;
  }
}

/** This machine's name in its tailnet. @param {(argv: string[], options: {timeoutMs: number}) => Promise<{code: number | null, stdout: string}>} [run] @returns {Promise<string | null>} */
export async function resolveTailnetHostWithRunner(run) {
  for (const program of run ? TAILSCALE : []) {
    const { code, stdout } = await Promise.resolve(run([program, 'status', '--json'], { timeoutMs: STATUS_TIMEOUT })).catch(() => ({ code: 1, stdout: '' }));
    const host = code === 0 ? tailnetHost(stdout) : undefined;
    if (host) return host;
  }
  return null;
}
