import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createAccessTables } from './access-tables.ts';

/** Every change of the schema, in order. A migration that has been released is never edited. */
export const migrations: Record<string, Migration> = {
  '001-first-tables': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('settings')
        .addColumn('key', 'text', (c) => c.primaryKey())
        .addColumn('value', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('resource_groups')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('location', 'text', (c) => c.notNull())
        .addColumn('tags_json', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('hosts')
        .addColumn('resource_group', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('location', 'text', (c) => c.notNull())
        .addColumn('zone', 'text')
        .addColumn('uri', 'text', (c) => c.notNull())
        .addColumn('overlay_directory', 'text')
        .addColumn('created_at', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('hosts_key', ['name'])
        .execute();
      await db.schema
        .createTable('vaults')
        .addColumn('vault_id', 'text', (c) => c.primaryKey())
        .addColumn('resource_group', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('location', 'text', (c) => c.notNull())
        .addColumn('tags_json', 'text', (c) => c.notNull())
        .addColumn('settings_json', 'text', (c) => c.notNull())
        .addColumn('store_path', 'text', (c) => c.notNull())
        .addColumn('store_id', 'text', (c) => c.notNull())
        .addColumn('encrypted', 'integer', (c) => c.notNull())
        .addColumn('immutability', 'text', (c) => c.notNull())
        .addColumn('soft_delete', 'text', (c) => c.notNull())
        .addColumn('soft_delete_days', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'text', (c) => c.notNull())
        .execute();
      // Names of resources are compared without case, as Azure does.
      await sql`create unique index vaults_name on vaults (lower(resource_group), lower(name))`.execute(db);
      await db.schema
        .createTable('replicas')
        .addColumn('vault_id', 'text', (c) =>
          c.primaryKey().references('vaults.vault_id').onDelete('cascade'),
        )
        .addColumn('store_path', 'text', (c) => c.notNull())
        .addColumn('store_id', 'text', (c) => c.notNull())
        .addColumn('encrypted', 'integer', (c) => c.notNull())
        .addColumn('retention_json', 'text', (c) => c.notNull())
        .addColumn('bytes_per_second', 'integer')
        .addColumn('created_at', 'text', (c) => c.notNull())
        .addColumn('attempted_at', 'text')
        .addColumn('completed_at', 'text')
        .addColumn('failures', 'integer', (c) => c.notNull())
        .addColumn('verify_cursor_json', 'text')
        .addColumn('verify_started_at', 'text')
        .addColumn('verified_at', 'text')
        .addColumn('collected_at', 'text')
        .addColumn('last_error_json', 'text')
        .execute();
      await db.schema
        .createTable('store_upkeep')
        .addColumn('vault_id', 'text', (c) =>
          c.primaryKey().references('vaults.vault_id').onDelete('cascade'),
        )
        .addColumn('verify_every_days', 'integer')
        .addColumn('verify_cursor_json', 'text')
        .addColumn('verify_started_at', 'text')
        .addColumn('verified_at', 'text')
        .addColumn('verification_json', 'text')
        .addColumn('collected_at', 'text')
        .execute();
      await db.schema
        .createTable('policies')
        .addColumn('vault_id', 'text', (c) => c.notNull().references('vaults.vault_id').onDelete('cascade'))
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('document_json', 'text', (c) => c.notNull())
        .addColumn('revision', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('policies_key', ['vault_id', 'name'])
        .execute();
      await sql`create unique index policies_name on policies (vault_id, lower(name))`.execute(db);
      await db.schema
        .createTable('items')
        .addColumn('item_id', 'text', (c) => c.primaryKey())
        .addColumn('vault_id', 'text', (c) => c.notNull().references('vaults.vault_id'))
        .addColumn('vm_uuid', 'text', (c) => c.notNull())
        .addColumn('vm_name', 'text', (c) => c.notNull())
        .addColumn('host_resource_group', 'text', (c) => c.notNull())
        .addColumn('host_name', 'text', (c) => c.notNull())
        .addColumn('policy_name', 'text')
        .addColumn('policy_json', 'text', (c) => c.notNull())
        .addColumn('duties_since', 'text', (c) => c.notNull())
        .addColumn('state', 'text', (c) => c.notNull())
        .addColumn('excluded_disks_json', 'text', (c) => c.notNull())
        .addColumn('agent_json', 'text')
        .addColumn('created_at', 'text', (c) => c.notNull())
        .addColumn('last_backup_status', 'text', (c) => c.notNull())
        .addColumn('last_backup_at', 'text')
        .addColumn('last_error_json', 'text')
        .addColumn('schedule_handled_until', 'text', (c) => c.notNull())
        .addColumn('next_due_at', 'text')
        .addColumn('deleted_at', 'text')
        .addColumn('purge_at', 'text')
        .addColumn('purging', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('revision', 'integer', (c) => c.notNull().defaultTo(0))
        .execute();
      // So that a look at what is due costs what is due, not what exists.
      await db.schema.createIndex('items_due').on('items').columns(['next_due_at', 'item_id']).execute();
      await db.schema.createIndex('items_handled').on('items').columns(['schedule_handled_until']).execute();
      await db.schema
        .createIndex('items_of_policy')
        .on('items')
        // With what is counted beside it.
        .columns(['vault_id', 'policy_name', 'state', 'last_backup_status'])
        .execute();
      // Lists are in the order of names, and go on after one.
      await sql`create index items_of_vault on items (vault_id, lower(vm_name), item_id)`.execute(db);
      await sql`create index items_of_name on items (lower(vm_name), item_id)`.execute(db);
      // One vault backs a VM up. Others may keep what they have of it: soft-deleted, or brought back from that.
      await sql`create unique index items_backed_up on items (host_name, vm_uuid) where policy_name is not null`.execute(
        db,
      );
      await db.schema.createIndex('items_vm').on('items').columns(['host_name', 'vm_uuid']).execute();
      await db.schema.createIndex('items_purge').on('items').columns(['purge_at']).execute();
      // Within a vault the name is the VM's identity, as in Azure.
      await sql`create unique index items_name on items (vault_id, lower(host_resource_group), lower(vm_name))`.execute(
        db,
      );
      await db.schema
        .createTable('registrations')
        .addColumn('host_name', 'text', (c) => c.notNull())
        .addColumn('vm_uuid', 'text', (c) => c.notNull())
        .addColumn('vault_id', 'text', (c) => c.notNull().references('vaults.vault_id'))
        .addColumn('vm_name', 'text', (c) => c.notNull())
        .addColumn('host_resource_group', 'text', (c) => c.notNull())
        .addColumn('registered_at', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('registrations_key', ['host_name', 'vm_uuid'])
        .execute();
      await db.schema
        .createTable('points')
        .addColumn('point_id', 'text', (c) => c.primaryKey())
        .addColumn('item_id', 'text', (c) => c.notNull().references('items.item_id'))
        .addColumn('job_id', 'text', (c) => c.notNull())
        .addColumn('taken_at', 'text', (c) => c.notNull())
        .addColumn('expires_at', 'text', (c) => c.notNull())
        .addColumn('rule_name', 'text')
        .addColumn('basis_json', 'text', (c) => c.notNull())
        .addColumn('run_at', 'text')
        .addColumn('promised_until', 'text')
        .addColumn('soft_deleted_until', 'text')
        .addColumn('deleted_by_person', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('damaged', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('in_snapshot', 'integer', (c) => c.notNull())
        .addColumn('in_vault', 'integer', (c) => c.notNull())
        .addColumn('in_replica', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('frozen_json', 'text', (c) => c.notNull())
        .addColumn('transfer_json', 'text')
        .execute();
      // Apart from the points, because definitions are large and lists of points are read often.
      await db.schema
        .createTable('point_definitions')
        .addColumn('point_id', 'text', (c) =>
          c.primaryKey().references('points.point_id').onDelete('cascade'),
        )
        .addColumn('definition_json', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('points_of_item')
        .on('points')
        .columns(['item_id', 'taken_at', 'point_id'])
        .execute();
      await sql`create index points_snapshots on points (item_id) where in_snapshot = 1`.execute(db);
      await db.schema
        .createTable('jobs')
        .addColumn('job_id', 'text', (c) => c.primaryKey())
        .addColumn('vault_id', 'text', (c) => c.notNull())
        .addColumn('item_id', 'text')
        .addColumn('operation', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('started_at', 'text', (c) => c.notNull())
        .addColumn('ended_at', 'text')
        .addColumn('user_triggered', 'integer', (c) => c.notNull())
        .addColumn('entity_name', 'text', (c) => c.notNull())
        .addColumn('payload_json', 'text', (c) => c.notNull())
        .addColumn('property_bag_json', 'text', (c) => c.notNull())
        .addColumn('error_json', 'text')
        .addColumn('owner', 'text')
        .addColumn('failures', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('retry_at', 'text')
        .execute();
      for (const [name, ...columns] of [
        ['jobs_of_vault'],
        ['jobs_by_status', 'status'],
        ['jobs_by_operation', 'operation'],
      ] as const)
        await db.schema
          .createIndex(name)
          .on('jobs')
          .columns(['vault_id', ...columns, 'started_at', 'job_id'])
          .execute();
      // What is forgotten after its time.
      // All vaults at once, as the portal lists them.
      await db.schema.createIndex('jobs_started').on('jobs').columns(['started_at', 'job_id']).execute();
      await db.schema.createIndex('jobs_ended').on('jobs').columns(['ended_at']).execute();
      await sql`create index jobs_open on jobs (started_at) where ended_at is null`.execute(db);
      await db.schema
        .createTable('workers')
        .addColumn('worker_id', 'text', (c) => c.primaryKey())
        .addColumn('home', 'text', (c) => c.notNull())
        .addColumn('lease_until', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('phases')
        .addColumn('phase', 'text', (c) => c.notNull())
        .addColumn('subject_id', 'text', (c) => c.notNull())
        .addColumn('worker_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('phases_key', ['phase', 'subject_id'])
        .execute();
      await db.schema
        .createTable('left_layers')
        .addColumn('host_name', 'text', (c) => c.notNull())
        .addColumn('vm_uuid', 'text', (c) => c.notNull())
        .addColumn('vm_name', 'text', (c) => c.notNull())
        .addColumn('vault_id', 'text', (c) => c.notNull())
        .addColumn('since', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('left_layers_key', ['host_name', 'vm_uuid'])
        .execute();
      await db.schema
        .createTable('job_tasks')
        .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.job_id').onDelete('cascade'))
        .addColumn('position', 'integer', (c) => c.notNull())
        .addColumn('task_id', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('started_at', 'text')
        .addColumn('ended_at', 'text')
        .addColumn('message', 'text')
        .addColumn('progress_json', 'text')
        .addPrimaryKeyConstraint('job_tasks_key', ['job_id', 'position'])
        .execute();
      await db.schema
        .createTable('operations')
        .addColumn('operation_id', 'text', (c) => c.primaryKey())
        .addColumn('job_id', 'text')
        .addColumn('follows_job', 'integer', (c) => c.notNull())
        .addColumn('started_at', 'text', (c) => c.notNull())
        .addColumn('vault_id', 'text')
        .addColumn('result_json', 'text')
        .addColumn('ends_by', 'text')
        .addColumn('ended_at', 'text')
        .addColumn('error_json', 'text')
        .execute();
      await db.schema
        .createTable('alerts')
        .addColumn('alert_id', 'text', (c) => c.primaryKey())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('severity', 'integer', (c) => c.notNull())
        .addColumn('vault_id', 'text')
        .addColumn('host_group', 'text')
        .addColumn('target', 'text', (c) => c.notNull())
        .addColumn('message', 'text', (c) => c.notNull())
        .addColumn('action', 'text', (c) => c.notNull())
        .addColumn('fired_at', 'text', (c) => c.notNull())
        .addColumn('resolved_at', 'text')
        .addColumn('dismissed_at', 'text')
        .addColumn('dismissed_by', 'text')
        .execute();
      await sql`create unique index alerts_open on alerts (subject) where resolved_at is null`.execute(db);
      await db.schema.createIndex('alerts_fired').on('alerts').columns(['fired_at', 'alert_id']).execute();
      // What alerts are about, looked for all the time and seldom there.
      await sql`create index items_failed on items (item_id) where last_backup_status = 'Failed'`.execute(db);
      await sql`create index jobs_failed on jobs (ended_at) where status = 'Failed'`.execute(db);
      await sql`create index points_damaged on points (item_id) where damaged = 1`.execute(db);
      await createAccessTables(db);
    },
  },
};
