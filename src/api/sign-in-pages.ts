import { createHash } from 'node:crypto';

const style =
  'body{font:16px system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}label{display:block;margin:1rem 0}' +
  'input{display:block;width:100%;padding:.4rem;box-sizing:border-box}';

/** Nothing runs, nothing is loaded, nobody frames it, and its address, which has the code, goes nowhere. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** The page behind the link that `serve` prints: whoever opens it first makes itself the owner. */
export function firstRunPage(code: string, problem?: string): string {
  return page(`
<h1>Welcome to Holdfast</h1>
<p>Choose how you will sign in. You become the owner of this service.</p>
${problem === undefined ? '' : `<p role="alert"><strong>${escaped(problem)}</strong></p>`}
<form method="post" action="/holdfast/first-run">
<input type="hidden" name="code" value="${escaped(code)}">
<label>User name <input name="userName" autocomplete="username" required maxlength="64"></label>
<label>Password, 12 characters at least
<input name="password" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></label>
<button>Sign in</button>
</form>`);
}

/**
 * Leads on to the portal. It is a page and no redirect: after a sign-in at another site, browsers would follow one without
 * the session's cookie, which they send to what this page leads to.
 */
export function welcomePage(userName: string, sentence: string): string {
  return page(
    `
<h1>Welcome, ${escaped(userName)}</h1>
<p>${escaped(sentence)}</p>
<p><a href="/portal">Go on to the portal</a></p>`,
    '<meta http-equiv="refresh" content="1; url=/portal">',
  );
}

export function messagePage(title: string, sentence: string): string {
  return page(`
<h1>${escaped(title)}</h1>
<p>${escaped(sentence)}</p>`);
}

const page = (body: string, head = '') =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Holdfast</title>` +
  `<meta name="viewport" content="width=device-width">${head}<style>${style}</style><main>${body}\n</main></html>\n`;

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
