-- The virtual time at which a lane takes its place: of those that nothing but their turn keeps from being claimed. A lane
-- with a rate, or one whose chunks all wait for a site or a time, lags behind without being owed anything: whoever began
-- where it stands would have all service to itself until it had caught up with the others.
CREATE FUNCTION app.least_vtime(of_pool text, besides uuid DEFAULT NULL) RETURNS double precision
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        min(vtime) FILTER (WHERE EXISTS (
            SELECT FROM chunk k WHERE k.run_id = lane.run_id AND k.state = 'ready' AND k.site_id IS NULL
                                  AND k.not_before <= app.now())),
        min(vtime))
    FROM lane
    WHERE pool = of_pool AND state = 'running' AND rate_per_hour IS NULL AND run_id IS DISTINCT FROM besides
$$;
