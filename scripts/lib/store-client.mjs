// Talks to a running store the way a visitor, a webhook or a form without JavaScript would.

const FACTS = /<script type="application\/json" data-facts="[^"]*">([^<]*)<\/script>/g

/** @returns {Record<string, object>} the facts in a page's markup, by reader */
export function factsIn(html) {
  const facts = {}
  for (const [, json] of html.matchAll(FACTS)) {
    const one = JSON.parse(json)
    facts[one.reader] = one
  }
  return facts
}

async function answerOf(response) {
  const body = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  const json = isJson ? JSON.parse(body) : undefined
  const facts = isJson ? (json?.reader ? { [json.reader]: json } : {}) : factsIn(body)
  return {
    status: response.status,
    /** HIT, STALE, MISS, REVALIDATED, or null when Next says nothing. */
    cache: response.headers.get('x-nextjs-cache'),
    headers: response.headers,
    body,
    json,
    facts,
  }
}

/** GETs a path; redirects are answers, not to be followed. */
export async function visit(baseUrl, path, init = {}) {
  return answerOf(await fetch(baseUrl + path, { redirect: 'manual', ...init }))
}

async function post(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/** Sends an invalidation to one replica: see `ControlRequest` in examples/store/lib/control.ts. */
export function control(baseUrl, request) {
  return post(`${baseUrl}/api/control`, request)
}

/** On-demand revalidation of the Pages Router. */
export function revalidateLegacy(baseUrl, path) {
  return post(`${baseUrl}/api/revalidate?path=${encodeURIComponent(path)}`)
}

/** Submits one of the forms of /actions/[id] and returns the page rendered after the action. */
export async function postAction(baseUrl, path, action, fields) {
  const page = await visit(baseUrl, path)
  const form = new RegExp(`<form data-action="${action}".*?</form>`, 's').exec(page.body)?.[0]
  const actionId = form && /name="(\$ACTION_ID_[0-9a-f]+)"/.exec(form)?.[1]
  if (!actionId) throw new Error(`${path} has no form for ${action}`)
  const data = new FormData()
  data.set(actionId, '')
  for (const [name, value] of Object.entries(fields)) data.set(name, value)
  return answerOf(
    await fetch(baseUrl + path, {
      method: 'POST',
      body: data,
      headers: { origin: baseUrl },
      redirect: 'manual',
    }),
  )
}
