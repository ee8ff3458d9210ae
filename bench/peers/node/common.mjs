// What both servers share: authentication and a pool. The environment names the database (PGHOST, PGDATABASE, …).
import pg from 'pg';
import { createVerifier } from 'fast-jwt';

export const verify = createVerifier({ key: process.env.JWT_SECRET, algorithms: ['HS256'], cache: false });
export const size = +process.env.POOL_SIZE;

export function viewer(authorization) {
  if (!authorization?.startsWith('Bearer ')) throw new Error('A bearer token is needed.');
  return verify(authorization.slice(7)).sub;
}

const TIMESTAMPTZ = 1184;

// PostgreSQL's own text to RFC 3339; a Date would lose the microseconds.
export function moment(text) {
  const [day, time] = text.slice(0, -3).split(' ');
  return `${day}T${(time.length === 8 ? `${time}.` : time).padEnd(15, '0')}Z`;
}

export function pool() {
  pg.types.setTypeParser(TIMESTAMPTZ, moment);
  return new pg.Pool({ max: size, min: size, idleTimeoutMillis: 0 });
}
