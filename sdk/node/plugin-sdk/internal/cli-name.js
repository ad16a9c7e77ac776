// How commands are written in messages to people.

/** A command line with the profile or container that the gateway runs under. */
export function formatCliCommand(command, env = process.env) {
  const container = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(env.OPENCLAW_CONTAINER_HINT?.trim() ?? '') ? env.OPENCLAW_CONTAINER_HINT.trim() : undefined;
  const profile = profileName(env.OPENCLAW_PROFILE);
  if (!/^openclaw(?:\s|$)/.test(command)) return command;
  if (container) return /--container\b|^openclaw\s+update\b/.test(command) ? command : command.replace(/^openclaw/, `openclaw --container ${container}`);
  if (!profile || /--profile\b|--dev\b/.test(command)) return command;
  return command.replace(/^openclaw/, `openclaw --profile ${profile}`);
}

function profileName(raw) {
  const name = raw?.trim();
  return name && name.toLowerCase() !== 'default' && /^[a-z0-9][a-z0-9_-]{0,63}$/i.test(name) ? name : undefined;
}
