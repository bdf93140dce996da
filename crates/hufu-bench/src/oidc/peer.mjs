// The npm package oidc-provider, for comparison: discovery, client credentials, the exchange of codes, and refresh
// tokens that rotate, with its adapter that keeps everything in memory. Started by `hufu-bench oidc`:
//
//   node peer.mjs NODE_MODULES CLIENT SECRET REDIRECT_URI SCOPE
//
// GET /codes?count=N makes codes of a fixed account through the package's own models, as its authorization endpoint
// does after a login, one grant each, and returns one per line.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The parent process reads the standard output.
for (const level of ['log', 'info', 'warn', 'debug']) console[level] = () => {};

const [modules, client_id, client_secret, redirectUri, scope] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(modules, 'oidc-provider', file)).href);
const { default: Provider } = await load('lib/index.js');
const { default: MemoryAdapter } = await load('lib/adapters/memory_adapter.js');

// The adapter forgets all but the last thousand entries unless it gets another store.
const store = new Map();
class Adapter extends MemoryAdapter {
  get storage() {
    return store;
  }

  set storage(_) {}
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'ES256' };

const provider = new Provider('http://127.0.0.1', {
  adapter: Adapter,
  clients: [{
    client_id,
    client_secret,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [key] },
  cookies: { keys: ['bench'] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  pkce: { required: () => false },
  rotateRefreshToken: true,
  ttl: { AuthorizationCode: 600, AccessToken: 7200, ClientCredentials: 7200, IdToken: 7200, RefreshToken: 2592000, Grant: 2592000 },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
});

async function makeCode(client) {
  const accountId = 'bench';
  const grant = new provider.Grant({ accountId, clientId: client_id });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const authTime = Math.floor(Date.now() / 1000);
  const code = new provider.AuthorizationCode({ accountId, authTime, client, grantId, redirectUri, scope });
  return code.save();
}

const answer = provider.callback();
const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname !== '/codes') return answer(request, response);
  const client = await provider.Client.find(client_id);
  const codes = [];
  for (let left = Number(url.searchParams.get('count')); left > 0; left -= 1) codes.push(await makeCode(client));
  return response.end(codes.join('\n'));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening 127.0.0.1:${server.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
