"""What this project is built from: are the versions those that were tested, may they be used, is any known to be bad?"""
