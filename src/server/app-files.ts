/** The names of a license server's own files in its data folder. */

export const databaseFile = 'license-server.db';
export const keyFile = 'license-server.key';
export const keyPurpose = 'license-server-key';
/** Of the high-water mark, beside the instance secret; before it stands the License Server ID. */
export const markSuffix = '.high-water';
