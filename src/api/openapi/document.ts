import { z } from 'zod';
import { accessTable, type Requirement } from '../access-table.ts';
import * as shapes from '../client/index.ts';
import { apiVersion } from '../client/index.ts';
import { refusedRoutes } from '../routes/refusals.ts';
import { type RouteShapes, routeShapes } from './route-shapes.ts';

type Json = Record<string, unknown>;

/** Routes that are refused whatever is asked, with why. */
const refusals = new Map(
  refusedRoutes.flatMap(([methods, path, why]) => methods.map((method) => [`${method} ${path}`, why])),
);

const isSchema = (value: unknown): value is z.ZodType => value instanceof z.ZodType;

/** The shapes that have a name of their own. */
const named = new Map(
  Object.entries(shapes).flatMap(([name, value]) => (isSchema(value) ? [[value as z.ZodType, name]] : [])),
);

/** A shape as JSON Schema; what it can't say (a preprocessing, a refinement) is left open. */
const schemaOf = (shape: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(shape, { io, unrepresentable: 'any' });
  return schema;
};

/**
 * The OpenAPI document of all routes, out of the shapes that validate the requests and the table that guards them.
 * @param routes `METHOD path`, as they are registered
 */
export function openApiDocument(routes: readonly string[], version: string): Json {
  const schemas: Json = {};
  const refer = (shape: z.ZodType, io: 'input' | 'output'): Json => {
    const name = named.get(shape);
    if (name === undefined) return schemaOf(shape, io);
    schemas[name] ??= schemaOf(shape, io);
    return { $ref: `#/components/schemas/${name}` };
  };
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const [method = '', url = ''] = route.split(' ');
    const path = url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = operationOf(route, routeShapes[route] ?? {}, refer);
  }
  schemas.errorBody ??= schemaOf(shapes.errorBody, 'output');
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'Azure Backup for virtual machines on libvirt hosts: Microsoft.RecoveryServices with what it needs of Microsoft.Compute and Microsoft.Resources, and Holdfast.Fleet for what Azure has no word for. docs/azure-compatibility.md says how far.',
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf(
  route: string,
  { body, answer, accepted }: RouteShapes,
  refer: (shape: z.ZodType, io: 'input' | 'output') => Json,
): Json {
  const [method = '', url = ''] = route.split(' ');
  const requirement = accessTable[route];
  const json = (schema: Json) => ({ 'application/json': { schema } });
  const failure = {
    description: 'An error with its code, a sentence and what to do',
    content: json({ $ref: '#/components/schemas/errorBody' }),
  };
  const refusal = refusals.get(route);
  const done = accepted
    ? { '202': { description: 'Accepted: Azure-AsyncOperation and Location say where to ask how it goes' } }
    : {
        '200': {
          description: 'Done',
          ...(answer && { content: json(refer(answer, 'output')) }),
        },
      };
  const isVersioned = /^\/(subscriptions|providers|tenants)\b/.test(url);
  return {
    operationId: route.replaceAll(/[^A-Za-z0-9]+/g, '_'),
    description: refusal ?? rightsOf(requirement),
    ...(requirement === 'public' && { security: [] }),
    parameters: [
      ...[...url.matchAll(/:(\w+)/g)].map(([, name]) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...(isVersioned
        ? [
            {
              name: 'api-version',
              in: 'query',
              required: true,
              schema: { type: 'string', default: apiVersion },
            },
          ]
        : []),
      ...(method === 'GET' && isVersioned
        ? ['$filter', '$top', '$skipToken', '$expand'].map((name) => ({
            name,
            in: 'query',
            required: false,
            schema: { type: 'string' },
          }))
        : []),
    ],
    ...(body && { requestBody: { required: true, content: json(refer(body, 'input')) } }),
    responses: { ...(refusal === undefined ? done : {}), default: failure },
  };
}

function rightsOf(requirement: Requirement | undefined): string {
  if (requirement === 'public') return 'For everybody.';
  if (requirement === 'signed-in') return 'For whoever is signed in.';
  if (requirement === 'filtered') return 'For whoever is signed in; shows what the caller may see.';
  const role = typeof requirement === 'object' ? requirement.role : requirement;
  return `Needs the role ${role} at what the path names.`;
}
