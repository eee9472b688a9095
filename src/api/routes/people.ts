import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Access, changePassword, createPerson, roleOf } from '../../access/index.ts';
import { deletePerson, findPersonByName, listPeople, type PersonRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Person, personRequest } from '../client/index.ts';
import { type ApiScope, param, parseBody, subscriptionPath } from '../scope.ts';
import { checkRoleScope } from './clients.ts';

/** People who sign in here. Their passwords are written, and never read. */
export function registerPeople(app: FastifyInstance, scope: ApiScope, _access: Access): void {
  const { db, clock } = scope.workshop;
  const path = `${subscriptionPath}/providers/Holdfast.Fleet/people`;
  const subscriptionId = `/subscriptions/${scope.subscriptionId}`;

  const present = (person: PersonRow): Person => ({
    id: `${subscriptionId}/providers/Holdfast.Fleet/people/${person.user_name}`,
    name: person.user_name,
    type: 'Holdfast.Fleet/people',
    properties: {
      principalId: person.person_id,
      signsIn: person.outside_id === null ? 'here' : 'outside',
      createdAt: person.created_at,
    },
  });
  const existing = async (request: FastifyRequest): Promise<PersonRow> => {
    const name = param(request, 'person');
    const person = await findPersonByName(db, name);
    if (person !== undefined) return person;
    throw new HoldfastError('ResourceNotFound', `There is no user '${name}'.`, { target: name });
  };

  app.get(path, async () => ({ value: (await listPeople(db)).map(present) }));
  app.get(`${path}/:person`, async (request) => present(await existing(request)));

  app.put(`${path}/:person`, async (request, reply) => {
    const { properties } = parseBody(personRequest, request);
    const userName = param(request, 'person');
    const known = await findPersonByName(db, userName);
    if (known !== undefined) {
      if (properties.role !== undefined)
        throw new HoldfastError('ResourceAlreadyExists', `There is a user '${known.user_name}' already.`, {
          target: known.user_name,
          action: 'Give it a role with "holdfast role assign".',
        });
      await changePassword(db, known, properties.password);
      return present(known);
    }
    const role = roleOf(properties.role ?? '');
    if (role === undefined)
      throw new HoldfastError('InvalidInput', 'A new user needs a role.', {
        target: 'properties.role',
        action: 'Use Reader, Operator, Contributor or Owner.',
      });
    const at = properties.scope ?? subscriptionId;
    checkRoleScope(at, scope);
    const person = await createPerson(
      db,
      { userName, password: properties.password, role: { role, scope: at } },
      {
        by: request.caller?.principal.id ?? '',
        now: clock.now().toString({ fractionalSecondDigits: 3 }),
      },
    );
    reply.code(201);
    return present(person);
  });

  app.delete(`${path}/:person`, async (request, reply) => {
    await deletePerson(db, (await existing(request)).person_id);
    return reply.code(204).send();
  });
}
