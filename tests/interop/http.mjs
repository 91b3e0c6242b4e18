// The little that a server of these tests needs: routes by method and path, JSON or a ready answer.
import { createServer } from 'node:http'

/** An answer that is not plain JSON with status 200. */
export class Answer {
  constructor(body, type = 'application/json', status = 200) {
    Object.assign(this, { body, type, status })
  }
}

async function read(request) {
  let body = ''
  for await (const chunk of request) body += chunk
  const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
  if (isForm) return Object.fromEntries(new URLSearchParams(body))
  return body === '' ? {} : JSON.parse(body)
}

/** OAuth libraries put the answer that a client shall get into the error. */
function explain(error) {
  console.error(error)
  const body = error.errorResponse ?? { error: 'server_error', error_description: error.message }
  return new Answer(JSON.stringify(body), 'application/json', error.errorResponse ? 400 : 500)
}

export function serve(port, routes) {
  const server = createServer(async (request, response) => {
    const route = routes[`${request.method} ${request.url}`]
    const result = route ? await read(request).then((body) => route(body, request)).catch(explain) : new Answer('{}', 'application/json', 404)
    const { body, type, status } = result instanceof Answer ? result : new Answer(JSON.stringify(result ?? {}))
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body)
  })
  server.listen(port, 'localhost', () => console.log('ready'))
}
