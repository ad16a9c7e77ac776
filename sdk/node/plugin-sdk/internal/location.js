// Places that people share on channels.

function placeOf(location) {
  const source = location.source ?? (location.isLive ? 'live' : location.name || location.address ? 'place' : 'pin');
  return { ...location, source, isLive: location.isLive ?? source === 'live' };
}

/** The line that the agent reads. Names and captions, which others wrote, are not in it. @param {any} location @returns {string} */
export function formatLocationText(location) {
  const { latitude, longitude, accuracy, source, isLive } = placeOf(location);
  const around = Number.isFinite(accuracy) ? ` ±${Math.round(accuracy)}m` : '';
  return `${source === 'live' || isLive ? '🛰 Live location:' : '📍'} ${latitude.toFixed(6)}, ${longitude.toFixed(6)}${around}`;
}

/** Members of an inbound context. @param {any} location @returns {any} */
export function toLocationContext(location) {
  const place = placeOf(location);
  return {
    LocationLat: place.latitude,
    LocationLon: place.longitude,
    LocationAccuracy: place.accuracy,
    LocationName: place.name,
    LocationAddress: place.address,
    LocationSource: place.source,
    LocationIsLive: place.isLive,
    LocationCaption: place.caption,
  };
}
